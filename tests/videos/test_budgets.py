"""Budgets: never exceeded, whoever reserves at the same time; refusals say what to change."""

import random
import uuid
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showrunner.database import db
from showrunner.errors import PaymentRequired
from showrunner.production.costs import Charge
from showrunner.store.ledger import budgets as ledger
from showrunner.videos import budgets
from tests.conftest import add_organisation, in_threads
from tests.videos.calls import order

PRODUCTIONS = 50


def charge(amount: Decimal, name: str | None = None) -> Charge:
    return Charge(
        charge=name or f"voice:{uuid.uuid4()}",
        step="voice",
        provider="elevenlabs",
        item="eleven_v3",
        quantity=Decimal(1),
        unit="credit",
        amount_usd=amount,
    )


def add_channel(tx, organisation_id, budget="{}"):
    return str(
        db.value(
            tx,
            "INSERT INTO studio.channels (organisation_id, name, settings) "
            "VALUES (:o, 'Depths', jsonb_build_object('budget', :budget::jsonb)) RETURNING id",
            o=organisation_id,
            budget=budget,
        )
    )


def add_video(tx, organisation_id, channel_id):
    return str(
        db.value(
            tx,
            "INSERT INTO studio.videos (organisation_id, channel_id, request) VALUES (:o, :c, '{}')"
            " RETURNING id",
            o=organisation_id,
            c=channel_id,
        )
    )


def totals(tx, organisation_id):
    """Return what was paid and what is reserved."""
    found = ledger.get_month(tx, organisation_id)
    return Decimal(found["used"]), Decimal(found["reserved"])


def limit_month(tx, organisation_id, dollars):
    db.run(
        tx,
        "UPDATE accounts.organisations SET limits = jsonb_build_object('month_usd', :dollars::int)"
        " WHERE id = :id",
        dollars=dollars,
        id=organisation_id,
    )


@pytest.mark.parametrize("scope", ["video", "day", "month"])
def test_a_refusal_names_the_budget_what_is_left_and_what_to_change(tx, organisation_id, scope):
    channel = add_channel(tx, organisation_id, '{"video": "3.00", "day": "4.00"}')
    limit_month(tx, organisation_id, 5)
    paid = {"video": ["2.90"], "day": ["1.95", "1.95"], "month": ["1.65", "1.65", "1.60"]}[scope]
    other = add_channel(tx, organisation_id) if scope == "month" else channel
    video = add_video(tx, organisation_id, channel)
    for number, amount in enumerate(paid):
        each = video if scope == "video" else add_video(tx, organisation_id, (channel, other)[number % 2])
        budgets.settle(tx, organisation_id, each, [charge(Decimal(amount))], list_price_only=False)

    with pytest.raises(PaymentRequired) as refused:
        budgets.reserve(tx, organisation_id, channel, video, "voice", Decimal("0.1001"))

    words = {"video": "settings.budget.video", "day": "settings.budget.day", "month": "platform admin"}
    assert words[scope] in refused.value.message
    assert "0.1000 USD are left" in refused.value.message
    budgets.reserve(tx, organisation_id, channel, video, "voice", Decimal("0.1000"))


def test_an_order_over_the_budget_is_refused_with_402(client, channel_id):
    changed = client("PUT", f"/api/v1/channels/{channel_id}", {"settings": {"budget": {"video": "0.05"}}})
    assert changed.status == 200, changed

    refused = client("POST", "/api/v1/videos/generate", order(channel_id))

    assert (refused.status, refused.body["error"]["code"]) == (402, "INSUFFICIENT_CREDITS")
    assert "settings.budget.video" in refused.body["error"]["message"]
    client("PUT", f"/api/v1/channels/{channel_id}", {"settings": {"budget": {"video": "0.50"}}})
    assert client("POST", "/api/v1/videos/generate", order(channel_id)).status == 202


def test_fifty_productions_racing_for_the_last_dollar_spend_no_cent_more(postgres):
    with db.transaction() as tx:
        organisation_id = add_organisation(tx, "Race")
        limit_month(tx, organisation_id, 1)
        channels = [add_channel(tx, organisation_id) for _ in range(5)]
        videos = [(channel, add_video(tx, organisation_id, channel)) for channel in channels * 10]

    def produce(number: int) -> int:
        channel, video = videos[number]
        chance, steps = random.Random(number), 0
        for step in ("script", "voice", "render"):
            most = Decimal(chance.randint(1, 800)) / 10_000
            try:
                with db.transaction() as tx:
                    budgets.reserve(tx, organisation_id, channel, video, step, most)
            except PaymentRequired:
                break
            used = most * chance.randint(50, 100) / 100
            with db.transaction() as tx:
                budgets.settle(tx, organisation_id, video, [charge(used)], list_price_only=False)
            steps += 1
        return steps

    steps = in_threads(PRODUCTIONS, produce)

    assert all(isinstance(each, int) for each in steps), steps
    assert sum(steps) < 3 * PRODUCTIONS  # some were refused
    with db.reading() as tx:
        paid, reserved = totals(tx, organisation_id)
    assert Decimal("0.9") < paid <= 1
    assert reserved == 0


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release"]),
        st.integers(0, 3),
        st.integers(1, 6000),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture
def studio(tx, organisation_id):
    """An organisation with a budget of two dollars, two channels of one dollar a day, and four videos."""
    limit_month(tx, organisation_id, 2)
    channels = [add_channel(tx, organisation_id, '{"video": "0.80", "day": "1.00"}') for _ in range(2)]
    videos = [add_video(tx, organisation_id, channels[number % 2]) for number in range(4)]
    return organisation_id, channels, videos


@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_any_order_of_reserving_settling_and_releasing_keeps_every_sum(tx, studio, actions):
    organisation_id, channels, videos = studio
    db.run(tx, "DELETE FROM ledger.costs WHERE organisation_id = :o", o=organisation_id)
    db.run(tx, "DELETE FROM ledger.reservations WHERE organisation_id = :o", o=organisation_id)
    paid, held = dict.fromkeys(videos, Decimal(0)), dict.fromkeys(videos, Decimal(0))

    def left(video):
        """Return what a plain model says is left of the three budgets."""
        channel = videos.index(video) % 2
        others = {each: paid[each] + held[each] for each in videos} | {video: paid[video]}
        day = sum(others[each] for number, each in enumerate(videos) if number % 2 == channel)
        return min(Decimal("0.80") - paid[video], 1 - day, 2 - sum(others.values()))

    for action, number, units, percent in actions:
        video, amount = videos[number], Decimal(units) / 10_000
        if action == "reserve":
            fits = amount <= left(video)
            try:
                budgets.reserve(tx, organisation_id, channels[number % 2], video, "voice", amount)
            except PaymentRequired:
                assert not fits
                continue
            assert fits
            held[video] = amount
        elif action == "settle":
            used = held[video] * percent / 100
            budgets.settle(tx, organisation_id, video, [charge(used)], list_price_only=False)
            paid[video], held[video] = paid[video] + used, Decimal(0)
        else:
            ledger.release(tx, video)
            held[video] = Decimal(0)
        assert min(map(left, videos)) >= 0
        assert totals(tx, organisation_id) == (sum(paid.values()), sum(held.values()))


def test_costs_add_up_to_the_last_digit_and_usage_counts_the_same_rows(client, tx, channel_id):
    video = add_video(tx, client.organisation_id, channel_id)
    amounts = [Decimal("0.00000001"), Decimal("0.33333333"), Decimal("0.12345678")]
    budgets.settle(
        tx, client.organisation_id, video, [charge(each) for each in amounts], list_price_only=False
    )
    budgets.reserve(tx, client.organisation_id, channel_id, video, "render", Decimal("0.25"))

    sheet = client("GET", f"/api/v1/videos/{video}/cost").body

    total = Decimal(sheet["total_usd"])
    assert total == sum(amounts) == sum(Decimal(each["amount_usd"]) for each in sheet["charges"])
    assert total == sum(map(Decimal, sheet["breakdown"].values()))
    usage = ledger.get_month(tx, client.organisation_id)
    assert (Decimal(usage["used"]), Decimal(usage["reserved"])) == (total, Decimal("0.25"))


@pytest.mark.parametrize(
    ("later", "granted"), [("0.00", "0.3000"), ("0.50", "0.3000"), ("0.75", "0.1500"), ("0.95", "0.0000")]
)
def test_what_a_video_can_do_without_is_reserved_only_beside_what_it_needs(
    tx, organisation_id, later, granted
):
    channel = add_channel(tx, organisation_id, '{"video": "1.00"}')
    video = add_video(tx, organisation_id, channel)
    wanted = {"extra": Decimal("0.3000"), "later": Decimal(later)}

    found = budgets.reserve(tx, organisation_id, channel, video, "voice", Decimal("0.1000"), **wanted)

    assert found == Decimal(granted)
    assert totals(tx, organisation_id)[1] == Decimal("0.1000") + found
