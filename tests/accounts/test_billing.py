"""Billing and usage of an organisation."""

import uuid

from showrunner.database import db
from tests.accounts.calls import error


def spend(tx, organisation_id, video_id, charge, amount, at="now()", list_price_only=False):
    db.run(
        tx,
        "INSERT INTO ledger.costs (organisation_id, video_id, charge, step, provider, item, quantity, "
        "unit, amount_usd, list_price_only, recorded_at) "
        f"VALUES (:o, :v, :charge, 'voice', 'elevenlabs', 'speech', 10, 'character', :amount::numeric, "
        f":list_price_only, {at})",
        o=organisation_id,
        v=video_id,
        charge=charge,
        amount=amount,
        list_price_only=list_price_only,
    )


def test_billing_reports_the_ledger_and_stops_orders_without_credit(tx, me):
    channel = me("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    order = {"channel_id": channel, "topic": "Bees"}
    video = me("POST", "/api/v1/videos/generate", order).body["video_id"]
    response = me("GET", "/api/v1/users/me/billing").body["billing"]
    assert (response["plan"], response["currency"], response["credits"], response["invoices"]) == (
        "standard",
        "USD",
        None,
        [],
    )
    assert (response["spent"]["total_usd"], response["spent"]["videos"]) == ("0", 0)

    spend(tx, me.organisation_id, video, "c1", "1.25000001")
    spend(tx, me.organisation_id, video, "c2", "7", list_price_only=True)
    spend(
        tx,
        me.organisation_id,
        video,
        "c3",
        "5",
        at="date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 second'",
    )
    spent = me("GET", "/api/v1/users/me/billing").body["billing"]["spent"]
    assert (spent["total_usd"], spent["list_price_usd"], spent["videos"], spent["breakdown"]["voice"]) == (
        "1.25000001",
        "7.00000000",
        1,
        "1.25000001",
    )

    db.run(
        tx,
        "INSERT INTO ledger.credits VALUES (:o, 'first', 2.50, now() - interval '1 minute')",
        o=me.organisation_id,
    )
    db.run(
        tx,
        "INSERT INTO ledger.invoices (organisation_id, number, period_begins, period_ends, amount_usd) "
        "VALUES (:o, :n, '2026-10-01', '2026-10-31', 12.5)",
        o=me.organisation_id,
        n=str(uuid.uuid4()),
    )
    response = me("GET", "/api/v1/users/me/billing").body["billing"]
    assert response["credits"] == {
        "added_usd": "2.50",
        "spent_usd": "1.25000001",
        "balance_usd": "1.24999999",
    }
    assert [(each["amount_usd"], each["status"], each["paid_at"]) for each in response["invoices"]] == [
        ("12.50", "open", None)
    ]
    assert me("POST", "/api/v1/videos/generate", order).status == 202

    spend(tx, me.organisation_id, video, "c4", "1.24999999")
    assert me("GET", "/api/v1/users/me/billing").body["billing"]["credits"]["balance_usd"] == "0.00000000"
    assert error(me("POST", "/api/v1/videos/generate", order)) == (402, "INSUFFICIENT_CREDITS")
    settled = me("POST", "/api/v1/videos/generate/batch", {"videos": [order]}).body["results"][0]
    assert settled["error"]["code"] == "INSUFFICIENT_CREDITS"
    db.run(tx, "UPDATE studio.videos SET status = 'failed' WHERE id = :id", id=video)
    assert error(me("POST", f"/api/v1/videos/{video}/retry")) == (402, "INSUFFICIENT_CREDITS")


def test_usage_reports_limits_and_what_is_used(me):
    channel = me("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    me("POST", "/api/v1/videos/generate", {"channel_id": channel, "topic": "Bees"})

    usage = me("GET", "/api/v1/users/me/usage").body["usage"]
    assert (usage["videos_today"], usage["channels"]) == ({"used": 1, "limit": 100}, {"used": 1, "limit": 10})
    assert (usage["assets"]["used"], usage["asset_bytes"]["used"]) == (0, 0)
