"""The schedule of channels that run themselves, on a real database: planning, ordering, moving, reporting."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from functions.channel_schedule import app
from showrunner import quotas
from showrunner.aws import dynamodb, sdk
from showrunner.channels import schedule
from showrunner.database import db
from showrunner.platforms.youtube_studio import UNITS
from showrunner.publishing import calendar
from showrunner.videos import executions
from showrunner.videos.publication import UNIT_POLLS
from tests.conftest import Client

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_schedule_record(aws):
    for sk in ("next", "expected"):
        dynamodb.remove("schedule#channels", sk)


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def channel(client, now):
    """Return a function that adds a channel with three topics whose next slot is due at once."""

    def add(**settings):
        zone = ZoneInfo("Asia/Kolkata")
        at = (now + calendar.DEFAULT_LEAD + timedelta(minutes=1)).astimezone(zone)
        body = {
            "name": "Bees",
            "niche": "Insects",
            "settings": {
                "time_zone": "Asia/Kolkata",
                "publish_times": [at.strftime("%H:%M")],
                "topics": ["Hives", "Honey", "Wax", "Queens"],
                **settings,
            },
        }
        response = client("POST", "/api/v1/channels", body)
        assert response.status == 201, response
        return response.body["channel"]["id"]

    return add


def slots_of(client, channel_id):
    return client("GET", f"/api/v1/channels/{channel_id}/calendar").body["slots"]


def test_the_schedule_orders_the_next_slot_with_the_next_topic(client, channel, now, aws):
    channel_id = channel()

    assert app.handler({}, None)["planned"] >= 1

    first, *rest = slots_of(client, channel_id)
    assert len(rest) >= calendar.HORIZON_DAYS - 1
    assert {each["state"] for each in rest} == {"planned"}
    schedule.run(now + timedelta(minutes=2))
    first, *rest = slots_of(client, channel_id)
    assert (first["state"], first["topic"], first["reason"]) == ("in_production", "Hives", None)
    assert executions.status(first["video_id"], 1) is not None, "its production has begun"
    at = datetime.fromisoformat(first["publish_at"]).astimezone(ZoneInfo("Asia/Kolkata"))
    assert (at.strftime("%H:%M"), str(at.date())) == (first["local_time"], first["local_day"])
    waiting = client("GET", f"/api/v1/channels/{channel_id}/topics").body["topics"]
    assert [each["topic"] for each in waiting] == ["Honey", "Wax", "Queens"]


def test_a_second_run_orders_nothing_twice(client, channel, now):
    channel_id = channel()
    for minutes in (0, 2, 2, 3):
        schedule.run(now + timedelta(minutes=minutes))

    videos = client("GET", f"/api/v1/videos?channel_id={channel_id}").body["videos"]
    assert len(videos) == 1
    assert [each["state"] for each in slots_of(client, channel_id)].count("in_production") == 1


def test_the_schedule_names_the_time_of_its_next_work(channel, now):
    channel(publish_times=[(now + 12 * HOUR).astimezone(ZoneInfo("Asia/Kolkata")).strftime("%H:%M")])

    _, next_at = schedule.run(now)

    assert abs(next_at - (now + 12 * HOUR - calendar.DEFAULT_LEAD)) <= timedelta(minutes=1)


def test_the_lead_is_measured(client, tx, channel, now):
    channel_id = channel()
    db.run(
        tx,
        """
        INSERT INTO studio.videos (organisation_id, channel_id, request, status, created_at, completed_at)
        SELECT organisation_id, id, '{}', 'completed', now() - interval '5 hours', now()
          FROM studio.channels WHERE id = :id
        """,
        id=channel_id,
    )

    schedule.run(now)

    first = slots_of(client, channel_id)[0]
    assert datetime.fromisoformat(first["publish_at"]) > now + 8 * HOUR - timedelta(minutes=1), (
        "1.5 times five hours and half an hour is needed: the slot of today is too early"
    )


def test_a_paused_channel_plans_nothing_until_it_is_resumed(client, channel, now):
    channel_id = channel()
    schedule.run(now)

    paused = client("POST", f"/api/v1/channels/{channel_id}/pause")
    schedule.run(now + timedelta(minutes=2))

    assert (paused.status, paused.body["channel"]["status"]) == (200, "paused")
    assert {(each["state"], each["reason"]) for each in slots_of(client, channel_id)} == {
        ("withdrawn", calendar.NOT_ACTIVE)
    }
    client("POST", f"/api/v1/channels/{channel_id}/resume")
    schedule.run(now)
    schedule.run(now + timedelta(minutes=2))
    assert [each["state"] for each in slots_of(client, channel_id)][:2] == ["in_production", "planned"]


def test_a_skipped_slot_gets_no_video_and_keeps_its_topic(client, channel, now):
    channel_id = channel()
    schedule.run(now)
    first = slots_of(client, channel_id)[0]
    path = f"/api/v1/channels/{channel_id}/calendar/{first['id']}/skip"

    assert [client("POST", path).status, client("POST", path).status] == [204, 204]

    schedule.run(now + timedelta(minutes=2))
    assert slots_of(client, channel_id)[0]["state"] == "skipped"
    assert client("GET", f"/api/v1/videos?channel_id={channel_id}").body["videos"] == []


def test_a_slot_in_production_is_not_skipped(client, channel, now):
    channel_id = channel()
    schedule.run(now)
    schedule.run(now + timedelta(minutes=2))
    first = slots_of(client, channel_id)[0]

    response = client("POST", f"/api/v1/channels/{channel_id}/calendar/{first['id']}/skip")

    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")
    assert "cancel its video" in response.body["error"]["message"]


def test_a_slot_without_a_topic_is_held_and_then_missed_with_the_reason(client, channel, now):
    channel_id = channel(topics=["Hives"])
    schedule.run(now)
    client("POST", "/api/v1/videos/generate", {"channel_id": channel_id})

    schedule.run(now + timedelta(minutes=2))
    held = slots_of(client, channel_id)[0]
    schedule.run(now + 3 * HOUR)
    missed = slots_of(client, channel_id)[0]

    assert [(each["state"], each["reason"]) for each in (held, missed)] == [
        ("held", calendar.NO_TOPIC),
        ("missed", calendar.NO_TOPIC),
    ]


def test_an_outage_of_the_schedule_is_reported_and_not_caught_up(client, channel, now):
    channel_id = channel()
    schedule.run(now)

    schedule.run(now + 71 * HOUR)

    states = [(each["state"], each["reason"]) for each in slots_of(client, channel_id)]
    assert states[:4] == [("missed", calendar.OUTAGE)] * 3 + [("planned", None)]
    assert client("GET", f"/api/v1/videos?channel_id={channel_id}").body["videos"] == []


def test_a_slot_moves_when_the_quota_of_uploads_is_spent(client, tx, channel, now):
    channel_id = channel(auto_publish=True)
    db.run(
        tx,
        """
        UPDATE studio.channels
           SET youtube_verified_at = now(), youtube_channel_id = 'UCaaaaaaaaaaaaaaaaaaaaaa',
               connection_id = :connection
         WHERE id = :id
        """,
        id=channel_id,
        connection=connection(tx, client.organisation_id),
    )
    schedule.run(now)
    day = quotas.spend("youtube", "insert", 100, 100, now)

    schedule.run(now + timedelta(minutes=2))

    dynamodb.remove(f"quota#youtube#{day}", "insert")
    moved = min(slots_of(client, channel_id), key=lambda each: each["planned_at"])
    assert (moved["state"], moved["reason"]) == ("planned", schedule.UPLOADS_SPENT)
    renewed = quotas.pacific_midnight(now)
    assert (
        timedelta(0) <= datetime.fromisoformat(moved["publish_at"]) - renewed - calendar.DEFAULT_LEAD < HOUR
    )


def test_a_slot_moves_behind_midnight_when_the_budget_of_the_day_is_spent(client, tx, channel, now):
    channel_id = channel(budget={"day": "4.00"})
    spend(tx, client.organisation_id, channel_id, "3.999")
    schedule.run(now)

    schedule.run(now + timedelta(minutes=2))

    moved = first_slot(client, channel_id)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    late = datetime.fromisoformat(moved["publish_at"]) - midnight - calendar.DEFAULT_LEAD
    assert (moved["state"], timedelta(0) <= late < HOUR) == ("planned", True)
    assert "budget of a day (UTC) is 4.00 USD, 0.00 USD are left" in moved["reason"]


def test_a_running_video_counts_by_what_it_is_still_expected_to_cost(client, tx, channel, now):
    """The month's budget has 5 cents left, which a running video needs; a move is three days at most."""
    channel_id = channel()
    limit_month(tx, client.organisation_id, 1)
    spend(tx, client.organisation_id, channel_id, "0.90")
    add_video(tx, client.organisation_id, channel_id, "processing")
    schedule.run(now)

    schedule.run(now + timedelta(minutes=2))

    slot = first_slot(client, channel_id)
    next_month = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    moves = next_month + calendar.DEFAULT_LEAD <= now + calendar.DEFAULT_LEAD + calendar.LONGEST_MOVE
    assert (slot["state"], "budget of a month (UTC) is 1.00 USD" in slot["reason"]) == (
        "planned" if moves else "held",
        True,
    )


def test_a_budget_that_is_too_small_for_any_video_holds_the_slot(client, tx, channel, now):
    channel_id = channel()
    limit_month(tx, client.organisation_id, 0)
    schedule.run(now)

    schedule.run(now + timedelta(minutes=2))

    slot = first_slot(client, channel_id)
    assert (slot["state"], "higher month_usd" in slot["reason"]) == ("held", True)


def first_slot(client, channel_id):
    return min(slots_of(client, channel_id), key=lambda each: each["planned_at"])


def spend(tx, organisation_id, channel_id, usd):
    """Record a video of the channel that has cost so much today."""
    db.run(
        tx,
        """
        INSERT INTO ledger.costs (video_id, organisation_id, charge, step, provider, item, quantity, unit,
                                  amount_usd)
        VALUES (:video, :organisation, 'voice:1', 'voice', 'elevenlabs', 'eleven_v3', 1, 'credit', :usd)
        """,
        video=add_video(tx, organisation_id, channel_id, "completed"),
        organisation=organisation_id,
        usd=usd,
    )


def add_video(tx, organisation_id, channel_id, status):
    return db.value(
        tx,
        """
        INSERT INTO studio.videos (organisation_id, channel_id, request, status)
        VALUES (:organisation, :channel, '{}', :status) RETURNING id::text
        """,
        organisation=organisation_id,
        channel=channel_id,
        status=status,
    )


def limit_month(tx, organisation_id, usd):
    db.run(
        tx,
        """
        UPDATE accounts.organisations SET limits = jsonb_build_object('month_usd', :usd::int) WHERE id = :id
        """,
        usd=usd,
        id=organisation_id,
    )


def connection(tx, organisation_id):
    return db.value(
        tx,
        """
        INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes)
        VALUES (gen_random_uuid(), :organisation_id, 'youtube', 'ada@example.com', '{}') RETURNING id::text
        """,
        organisation_id=organisation_id,
    )


def test_used_up_credits_hold_a_slot_with_the_reason(client, tx, channel, now):
    channel_id = channel()
    db.run(
        tx,
        "INSERT INTO ledger.credits (organisation_id, reference, amount_usd) VALUES (:id, 'test', 0)",
        id=client.organisation_id,
    )
    schedule.run(now)

    schedule.run(now + timedelta(minutes=2))

    first = slots_of(client, channel_id)[0]
    assert (first["state"], "credits are used up" in first["reason"]) == ("held", True)
    waiting = client("GET", f"/api/v1/channels/{channel_id}/topics").body["topics"]
    assert len(waiting) == 4, "a refused order uses no topic"


def test_an_owner_who_has_unsubscribed_gets_no_email_about_low_backlogs(
    client, channel, now, tx, monkeypatch
):
    sent = []
    monkeypatch.setattr(schedule, "_send", lambda to, message: sent.append(message))
    channel(topics=["Hives", "Honey"])
    db.run(
        tx,
        """
        WITH person AS (INSERT INTO accounts.users (email, full_name) VALUES ('olga@example.com', 'Olga')
                        RETURNING id)
        INSERT INTO accounts.members (organisation_id, user_id, role, is_owner)
        SELECT :id, id, 'user', true FROM person
        """,
        id=client.organisation_id,
    )
    schedule.run(now)
    token = sent[0].lines[-1].partition("#token=")[2]

    assert Client()("POST", "/api/v1/auth/unsubscribe", {"token": token}).status == 200
    db.run(tx, "UPDATE studio.channels SET backlog_low_at = NULL")

    assert schedule.run(now)[0]["low"] == 1
    assert len(sent) == 1


def test_a_low_backlog_is_reported_once_until_it_is_filled(client, channel, now, tx, monkeypatch):
    sent = []
    monkeypatch.setattr(schedule, "_send", lambda to, message: sent.append((to, message.subject)))
    channel_id = channel(topics=["Hives", "Honey"])
    db.run(
        tx,
        """
        WITH person AS (INSERT INTO accounts.users (email, full_name, password_hash)
                        VALUES ('owner@example.com', 'Olga', 'x') RETURNING id)
        INSERT INTO accounts.members (organisation_id, user_id, role, is_owner)
        SELECT :id, id, 'user', true FROM person
        """,
        id=client.organisation_id,
    )

    counts = [schedule.run(now)[0]["low"] for _ in range(2)]

    assert counts == [1, 0]
    assert sent == [("owner@example.com", "Bees is running out of topics")]
    path = f"/api/v1/channels/{channel_id}"
    tasks = {each["task"]: each["done"] for each in client("GET", path).body["setup_tasks"]}
    assert tasks["add_topics"] is False
    client("POST", f"{path}/topics", {"topics": ["Wax", "Queens"]})
    assert schedule.run(now)[0]["low"] == 0
    client("PUT", path, {"settings": {"topics": ["Drones"]}})
    assert schedule.run(now)[0]["low"] == 1


def test_a_suspended_organisations_channel_is_not_run(client, tx, channel, now):
    channel_id = channel()
    schedule.run(now)
    db.run(
        tx,
        "UPDATE accounts.organisations SET suspended_at = now() WHERE id = :id",
        id=client.organisation_id,
    )

    schedule.run(now + timedelta(minutes=2))

    assert db.value(tx, "SELECT count(*) FROM studio.videos WHERE channel_id = :id", id=channel_id) == 0


def test_the_database_is_not_asked_while_nothing_is_due(channel, monkeypatch):
    app.handler({}, None)
    sdk.client("dynamodb")

    monkeypatch.setattr(schedule, "run", lambda now: pytest.fail("asked"))
    dynamodb.remove("schedule#channels", "expected")
    assert app.handler({}, None) == {}


@pytest.mark.parametrize("zone", ["Berlin", "Europe/Nowhere", "../etc/passwd", "Europe/berlin ", ""])
def test_the_error_of_an_unknown_time_zone_names_the_field(client, zone):
    response = client(
        "POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects", "settings": {"time_zone": zone}}
    )

    assert response.status == 400
    assert [each["field"] for each in response.body["error"]["details"]] == ["settings.time_zone"]


def test_a_calendar_shows_up_to_92_days(client, channel):
    path = f"/api/v1/channels/{channel()}/calendar"

    assert client("GET", f"{path}?date_from=2026-01-01&date_to=2026-02-01").body["slots"] == []
    assert client("GET", f"{path}?date_from=2026-01-01&date_to=2026-05-01").status == 400
    assert client("GET", f"{path}?date_from=2026-02-01&date_to=2026-01-01").status == 400


def test_the_units_of_a_publication_are_those_that_it_reserves():
    assert UNITS["captions.insert"] + UNITS["thumbnails.set"] + UNIT_POLLS == schedule.PUBLICATION_UNITS
    assert UNITS["playlistItems.insert"] + 1 == schedule.PLAYLIST_UNITS
