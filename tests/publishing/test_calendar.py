"""The planner of channels that run themselves: times of day, and 90 simulated days of 200 channels."""

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from showrunner.publishing import calendar
from showrunner.publishing.calendar import Channel, Limit, Slot

LEAD = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def channel(**changes):
    settings = {
        "id": "c",
        "organisation_id": "o",
        "time_zone": "Europe/Berlin",
        "videos_per_day": 1,
        "publish_times": ("18:00",),
        "lead": LEAD,
        "topics": 5,
    }
    return Channel(**{**settings, **changes})


def slot(planned_at, **changes):
    at = utc(planned_at)
    return Slot(**{"id": "s", "channel_id": "c", "day": at.date(), "time": "18:00", "planned_at": at,
                   "publish_at": at, **changes})  # fmt: skip


def decide(now, slots, *, limits=None, **changes):
    return calendar.decide(utc(now), {"c": channel(**changes)}, slots, limits or {}, {})


# ----------------------------------------------------------------------------------------------- Times of day


@pytest.mark.parametrize(
    ("videos", "own", "times"),
    [
        (1, (), ["18:00"]),
        (2, ("08:15",), ["08:15", "18:00"]),
        (2, ("20:00", "08:15", "12:00"), ["08:15", "12:00"]),
        (3, ("18:00", "18:00"), ["09:00", "12:00", "18:00"]),
    ],
)
def test_a_day_has_the_channels_own_times_first(videos, own, times):
    assert calendar.times_of_day(videos, own) == times


def test_ten_videos_a_day_have_ten_times_without_any_of_their_own():
    assert len(set(calendar.times_of_day(10, ()))) == 10


def test_a_time_that_the_clock_skips_is_an_hour_later():
    found = calendar.slots_of_day(date(2026, 3, 29), ["02:30", "03:30"], BERLIN)

    assert found == [("02:30", utc("2026-03-29 01:30")), ("03:30", utc("2026-03-29 01:31"))], (
        "both are 03:30 by the clock, and each has a minute of its own"
    )


def test_a_time_that_occurs_twice_is_used_once_the_first_time():
    assert calendar.slots_of_day(date(2026, 10, 25), ["02:30"], BERLIN) == [
        ("02:30", utc("2026-10-25 00:30"))
    ]


# -------------------------------------------------------------------------------------------------- Decisions


def test_a_slot_begins_when_its_lead_does():
    assert decide("2026-05-01 16:59", [slot("2026-05-01 18:00")]) == []
    assert decide("2026-05-01 17:00", [slot("2026-05-01 18:00")]) == [
        calendar.Order("s", utc("2026-05-01 18:00"), None)
    ]


def test_a_slot_without_a_topic_waits_and_is_missed_at_its_time():
    held = slot("2026-05-01 18:00", state="held", reason=calendar.NO_TOPIC)

    assert decide("2026-05-01 17:00", [slot("2026-05-01 18:00")], topics=0) == [
        calendar.Hold("s", calendar.NO_TOPIC)
    ]
    assert decide("2026-05-01 18:00", [held], topics=0) == [calendar.Miss("s", calendar.NO_TOPIC)]
    assert decide("2026-05-01 17:40", [held]) == [
        calendar.Order("s", utc("2026-05-01 18:40"), calendar.BEGAN_LATE)
    ]


def test_a_slot_that_a_limit_refuses_moves_behind_the_renewal_with_the_reason():
    limits = {"insert": Limit(0, utc("2026-05-02 07:00"), "Today's uploads are used up.")}

    assert decide("2026-05-01 17:00", [slot("2026-05-01 18:00")], limits=limits, needs={"insert": 1}) == [
        calendar.Move("s", utc("2026-05-02 08:00"), "Today's uploads are used up.")
    ]


def test_a_slot_that_would_move_too_far_waits_for_its_time():
    limits = {"month": Limit(0, utc("2026-06-01 00:00"), "The month's budget is spent.")}

    assert decide("2026-05-01 17:00", [slot("2026-05-01 18:00")], limits=limits, needs={"month": 1}) == [
        calendar.Hold("s", "The month's budget is spent.")
    ]


def test_an_outage_causes_no_flood():
    missed = [slot(f"2026-05-0{day} 18:00", id=str(day)) for day in (1, 2, 3)]

    assert decide("2026-05-04 09:00", missed) == [calendar.Miss(each.id, calendar.OUTAGE) for each in missed]


def test_a_channel_that_catches_up_makes_the_missed_videos_half_an_hour_apart():
    missed = [slot(f"2026-05-0{day} 18:00", id=str(day)) for day in (1, 2, 3)]

    assert decide("2026-05-04 09:00", missed, catch_up=True) == [
        calendar.Move("1", utc("2026-05-04 10:00"), calendar.CAUGHT_UP),
        calendar.Move("2", utc("2026-05-04 10:30"), calendar.CAUGHT_UP),
        calendar.Move("3", utc("2026-05-04 11:00"), calendar.CAUGHT_UP),
    ]


def test_organisations_take_turns_for_a_shared_limit():
    channels = {
        name: channel(id=name, organisation_id=name[0], needs={"insert": 1}) for name in ("a1", "a2", "b1")
    }
    slots = [slot("2026-05-01 18:00", id=name, channel_id=name) for name in ("a1", "a2", "b1")]
    limits = {"insert": Limit(2, utc("2026-05-02 07:00"), "Used up.")}

    found = calendar.decide(utc("2026-05-01 17:00"), channels, slots, limits, {})

    assert [(type(each), each.slot_id) for each in found] == [
        (calendar.Order, "a1"),
        (calendar.Order, "b1"),
        (calendar.Move, "a2"),
    ]


def test_changed_settings_withdraw_slots_and_bring_them_back():
    now = utc("2026-05-01 00:00")
    first = calendar.lay_out(channel(), [], now)
    slots = [
        Slot(str(number), "c", each.day, each.time, each.at, each.at) for number, each in enumerate(first)
    ]

    later = calendar.lay_out(channel(publish_times=("20:00",)), slots, now)
    paused = calendar.lay_out(channel(is_active=False), slots, now)
    withdrawn = [replace(each, state="withdrawn", reason=calendar.NOT_ACTIVE) for each in slots]
    resumed = calendar.lay_out(channel(), withdrawn, now)

    assert Counter(type(each).__name__ for each in later) == {"Add": 15, "Withdraw": 15}
    assert {type(each) for each in paused} == {calendar.Withdraw}
    assert [each.slot_id for each in resumed] == [each.id for each in slots]
    assert calendar.lay_out(channel(), slots, now) == []


def test_two_videos_of_a_channel_are_not_published_at_the_same_minute():
    occupied = {"c": {"s": utc("2026-05-01 18:00"), "moved here": utc("2026-05-01 18:00")}}

    found = calendar.decide(
        utc("2026-05-01 17:00"), {"c": channel()}, [slot("2026-05-01 18:00")], {}, occupied
    )

    assert found == [calendar.Order("s", utc("2026-05-01 18:30"), calendar.SAME_MINUTE)]


# ------------------------------------------------------------------------------------------------- Simulation

ZONES = [
    "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Australia/Lord_Howe", "Pacific/Auckland",
    "America/Santiago", "Asia/Tokyo", "Africa/Lagos", "Asia/Kathmandu", "UTC",
]  # fmt: skip
PACIFIC = ZoneInfo("America/Los_Angeles")
TICK = timedelta(minutes=30)
DAY = timedelta(days=1)


@dataclass
class Simulation:
    """200 channels over 90 days: what the schedule does every half hour, and everything it took."""

    begin: datetime
    random: random.Random
    channels: dict = field(default_factory=dict)
    backlogs: dict = field(default_factory=lambda: defaultdict(list))
    slots: dict = field(default_factory=dict)
    due: list = field(default_factory=list)
    used: Counter = field(default_factory=Counter)
    topics: dict = field(default_factory=lambda: defaultdict(list))
    zone_days: dict = field(default_factory=dict)
    of_channel: dict = field(default_factory=lambda: defaultdict(dict))
    changed: set = field(default_factory=set)
    refills: int = 0

    def __post_init__(self):
        pick = self.random
        self.caps = {"insert:shared": 100}
        for number in range(200):
            organisation = f"o{number % 60}"
            has_project = number % 60 >= 50
            project = f"insert:{organisation}" if has_project else "insert:shared"
            name = f"c{number}"
            self.caps |= {project: 25 if has_project else 100, f"day:{name}": pick.choice([1.0, 3.0, 10.0])}
            self.caps[f"month:{organisation}"] = pick.choice([30.0, 1000.0])
            price = pick.choice([0.3, 0.6, 1.0])
            times = tuple(f"{pick.randrange(24):02}:{pick.choice(['00', '30', '45'])}" for _ in range(3))
            self.channels[name] = Channel(
                name,
                organisation,
                pick.choice(ZONES),
                pick.choice([1, 1, 1, 2, 3]),
                times,
                pick.choice([timedelta(hours=1), timedelta(hours=3)]),
                catch_up=number % 7 == 0,
                needs={project: 1, f"day:{name}": price, f"month:{organisation}": price},
            )
            self.backlogs[name] = list(range(pick.choice([20, 500])))
        # One-day outages, and one of three days.
        self.outages = [(self.begin + DAY * each, self.begin + DAY * (each + 1)) for each in (11, 37, 60)]
        self.outages.append((self.begin + DAY * 70, self.begin + DAY * 73))

    def period(self, name, now):
        """The period in which a limit counts, and when the next begins."""
        kind, _, of = name.partition(":")
        zone = {"insert": PACIFIC, "month": UTC}.get(kind) or ZoneInfo(self.channels[of].time_zone)
        today = now.astimezone(zone).date()
        first = today.replace(day=1) if kind == "month" else today
        after = (first + 32 * DAY).replace(day=1) if kind == "month" else today + DAY
        return first, datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)

    def limits(self, names, now):
        found = {}
        for name in names:
            period, renews_at = self.period(name, now)
            found[name] = Limit(self.caps[name] - self.used[name, period], renews_at, f"{name} is used up.")
        return found

    def plan(self, now):
        for each in self.channels.values():
            # Each channel's slots are planned anew once a day, and when it changes.
            if self.zone_days.get(each.id) == now.date():
                continue
            self.zone_days[each.id] = now.date()
            today = now.astimezone(ZoneInfo(each.time_zone)).date()
            known = [
                slot for slot in self.coming(each.id, now) if slot.day >= today or slot.state in calendar.OPEN
            ]
            for change in calendar.lay_out(each, known, now):
                self.apply_change(each, change)

    def apply_change(self, owner, change):
        match change:
            case calendar.Add(channel_id, day, time, at):
                key = channel_id, day, time
                assert key not in self.slots, "a slot is added once"
                self.save(Slot(key, channel_id, day, time, at, at))
            case calendar.Restore(slot_id, at):
                slot = replace(
                    self.slots[slot_id], planned_at=at, publish_at=at, state="planned", reason=None
                )
                self.save(slot)
            case calendar.Withdraw(slot_id, reason):
                self.keep(replace(self.slots[slot_id], state="withdrawn", reason=reason))

    def coming(self, channel_id, now):
        """The channel's slots of the last days and the next, as the schedule reads them from its index."""
        mine = self.of_channel[channel_id]
        while mine and min(mine) < now.date() - 9 * DAY:
            del mine[min(mine)]
        return [self.slots[key] for day in mine.values() for key in day]

    def keep(self, slot):
        self.slots[slot.id] = slot
        self.of_channel[slot.channel_id].setdefault(slot.day, set()).add(slot.id)

    def save(self, slot):
        self.keep(slot)
        due_at = slot.publish_at - self.channels[slot.channel_id].lead
        heapq.heappush(self.due, (due_at, slot.id))

    def tick(self, now):
        by_id = {}
        while self.due and self.due[0][0] <= now:
            slot = self.slots[heapq.heappop(self.due)[1]]
            if calendar.is_due(slot, self.channels[slot.channel_id].lead, now):
                by_id[slot.id] = slot
        if not by_id:
            return
        found = list(by_id.values())
        owners = {each.channel_id for each in found}
        channels = {name: replace(self.channels[name], topics=len(self.backlogs[name])) for name in owners}
        limits = self.limits({name for each in channels.values() for name in each.needs}, now)
        occupied = {
            name: {
                slot.id: slot.publish_at
                for slot in self.coming(name, now)
                if slot.publish_at > now and slot.state in ("planned", "held", "ordered")
            }
            for name in owners
        }
        decided = calendar.decide(now, channels, found, limits, occupied)
        assert len({each.slot_id for each in decided}) == len(decided)
        for decision in decided:
            self.apply(decision, now)

    def apply(self, decision, now):
        slot = self.slots[decision.slot_id]
        owner = self.channels[slot.channel_id]
        match decision:
            case calendar.Order(_, at, reason):
                self.keep(replace(slot, state="ordered", publish_at=at, reason=reason))
                self.topics[owner.id].append(self.backlogs[owner.id].pop(0))
                for name, amount in owner.needs.items():
                    period = self.period(name, now)[0]
                    self.used[name, period] += amount
                    assert self.used[name, period] <= self.caps[name] + 1e-9, f"{name} exceeded"
            case calendar.Move(_, at, reason):
                assert at > slot.publish_at
                self.save(replace(slot, state="planned", publish_at=at, reason=reason))
            case calendar.Hold(_, reason):
                self.keep(replace(slot, state="held", reason=reason))
                heapq.heappush(self.due, (min(slot.publish_at, now + 4 * TICK), slot.id))
            case calendar.Miss(_, reason):
                self.keep(replace(slot, state="missed", reason=reason))

    def is_out(self, moment):
        return any(begins <= moment < ends for begins, ends in self.outages)

    def run(self, days):
        now, end = self.begin, self.begin + days * DAY
        while now < end:
            if not self.is_out(now):
                if now.hour == 5 and now.minute == 0:
                    self.change_something()
                self.plan(now)
                self.tick(now)
            now += TICK
        return end

    def change_something(self):
        """Pause or resume a channel, change another's times, and fill a third's backlog."""
        paused, changed, filled = self.random.sample(sorted(self.channels), 3)
        old = self.channels[paused]
        self.channels[paused] = replace(old, is_active=not old.is_active)
        self.channels[changed] = replace(
            self.channels[changed], publish_times=(f"{self.random.randrange(24):02}:30",)
        )
        self.refills += 1
        self.backlogs[filled] += list(range(1000 * self.refills, 1000 * self.refills + 40))
        self.changed |= {paused, changed, filled}
        self.zone_days = {name: day for name, day in self.zone_days.items() if name not in (paused, changed)}


@pytest.fixture(scope="module", params=["2026-02-25", "2026-09-10"], ids=["spring", "autumn"])
def simulated(request):
    simulation = Simulation(utc(request.param), random.Random(request.param))
    return simulation, simulation.run(90)


def test_no_slot_of_90_days_is_lost_or_doubled(simulated):
    simulation, end = simulated

    for owner in simulation.channels.values():
        if owner.id in simulation.changed:
            continue
        zone = ZoneInfo(owner.time_zone)
        first, last = (at.astimezone(zone).date() for at in (simulation.begin, end))
        times = calendar.times_of_day(owner.videos_per_day, owner.publish_times)
        days = [first + number * DAY for number in range(1, (last - first).days)]
        wanted = {(owner.id, day, each) for day in days for each in times}
        made = {key for key in simulation.slots if key[0] == owner.id and first < key[1] < last}
        assert made == wanted
    over = [each for each in simulation.slots.values() if each.publish_at < end - DAY]
    assert {each.state for each in over} == {"ordered", "missed", "withdrawn"}
    assert all(each.reason for each in over if each.state != "ordered")


def test_videos_of_a_channel_never_share_a_minute_and_topics_keep_their_order(simulated):
    simulation, _ = simulated

    for name, used in simulation.topics.items():
        assert all(earlier < later for earlier, later in pairwise(used)), "in order, and none twice"
        times = [each.publish_at for each in simulation.slots.values()
                 if each.channel_id == name and each.state == "ordered"]  # fmt: skip
        assert len(times) == len(used) == len(set(times))


def test_a_video_that_was_not_moved_is_published_at_its_local_time(simulated):
    simulation, _ = simulated
    on_time = [each for each in simulation.slots.values() if each.state == "ordered" and each.reason is None]

    assert len(on_time) > 1000
    for each in on_time:
        local = each.publish_at.astimezone(ZoneInfo(simulation.channels[each.channel_id].time_zone))
        in_gap = local.date() == each.day and (local.utcoffset() != (local - DAY).utcoffset())
        assert (local.strftime("%H:%M"), local.date()) == (each.time, each.day) or in_gap


def test_moved_videos_say_why_and_move_by_three_days_at_most(simulated):
    simulation, _ = simulated
    moved = [each for each in simulation.slots.values() if each.publish_at != each.planned_at]

    assert {each.reason.partition(":")[0] for each in moved} >= {"insert", "day", calendar.CAUGHT_UP}
    for each in moved:
        late = each.publish_at - each.planned_at - calendar.APART
        assert late <= calendar.LONGEST_MOVE or simulation.channels[each.channel_id].catch_up


def test_three_days_without_the_schedule_cause_no_flood(simulated):
    simulation, _ = simulated
    begins, ends = simulation.outages[-1]
    away = [
        each
        for each in simulation.slots.values()
        if begins + timedelta(hours=3) < each.planned_at
        and each.publish_at < ends
        and each.state != "withdrawn"
    ]

    assert len(away) > 200
    assert all(each.state == "missed" and each.reason for each in away)
    assert not any(
        begins + timedelta(hours=3) < each.planned_at < ends - timedelta(hours=3) and each.state == "ordered"
        for each in simulation.slots.values()
        if not simulation.channels[each.channel_id].catch_up
    )
