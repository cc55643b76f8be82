"""Plan when a channel's videos are published, and which of them begin now. Pure functions without I/O.

A slot is one video of a channel on one local day at one of its publish times. `lay_out` keeps the slots of
the next days in line with the channel's settings; `decide` says what happens to the slots whose production is
due. Every slot that doesn't lead to a video on time ends with a reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

HORIZON_DAYS = 14
# Used for the videos of a day that have no publish time of their own.
DEFAULT_TIMES = (
    "18:00", "12:00", "09:00", "15:00", "20:00", "10:30", "13:30", "16:30", "21:00", "07:30",
)  # fmt: skip
# How long before its slot a production begins: the measured time with a margin, and the time for the upload,
# which YouTube wants 15 minutes before a scheduled publication. The default is for a channel's first videos.
SAFETY, PUBLISHING = 1.5, timedelta(minutes=30)
SHORTEST_LEAD, DEFAULT_LEAD, LONGEST_LEAD = timedelta(minutes=45), timedelta(hours=2), timedelta(hours=24)
# A slot is moved by at most this much; then it is given up, or moved slots would pile up without end.
LONGEST_MOVE = timedelta(days=3)
# Moved slots of a channel stay this far from its other slots: viewers get no burst of videos.
APART = timedelta(minutes=30)
# A production that begins later than this moves its slot, so that the video is still ready in time.
LATE = timedelta(minutes=15)

NO_TOPIC = "The backlog is empty: add topics to the channel."
OUTAGE = "The scheduler did not run in time for this slot. Channels with catch_up make such videos later."
CAUGHT_UP = "The scheduler did not run in time for this slot; the channel catches up."
BEGAN_LATE = "The production began late: the video is published as soon as it can be ready."
SAME_MINUTE = "Another video of the channel is published at this time."
TIMES_CHANGED = "The channel's publish times have changed."
NOT_ACTIVE = "The channel is not active."

# held: due, but can't begin now. ordered: has a video, whose status says the rest. withdrawn: no longer
# wanted; planned again when the settings want it again.
State = Literal["planned", "held", "ordered", "skipped", "missed", "withdrawn"]
OPEN = ("planned", "held")


@dataclass(frozen=True, slots=True)
class Slot:
    """One video of a channel on a local day. `planned_at` is its regular time, `publish_at` its time now."""

    id: str
    channel_id: str
    day: date
    time: str
    planned_at: datetime
    publish_at: datetime
    state: State = "planned"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """The rest of a quota or budget until `renews_at`. `reason` tells the user what is used up."""

    left: float
    renews_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as the planner sees it.

    `lead` is how long before its slot a production begins, `topics` the number of waiting topics, and `needs`
    what one video takes of each limit, by the limit's name.
    """

    id: str
    organisation_id: str
    time_zone: str
    videos_per_day: int
    publish_times: tuple[str, ...]
    lead: timedelta
    is_active: bool = True
    catch_up: bool = False
    topics: int = 0
    needs: Mapping[str, float] = field(default_factory=dict)


class Add(NamedTuple):
    """A new slot."""

    channel_id: str
    day: date
    time: str
    at: datetime


class Restore(NamedTuple):
    """A withdrawn slot that is wanted again."""

    slot_id: str
    at: datetime


class Withdraw(NamedTuple):
    """A planned slot that is no longer wanted."""

    slot_id: str
    reason: str


class Order(NamedTuple):
    """The slot's production begins now. `at` is its time of publication, with the reason if that moved."""

    slot_id: str
    at: datetime
    reason: str | None


class Move(NamedTuple):
    """The slot gets a later time."""

    slot_id: str
    at: datetime
    reason: str


class Hold(NamedTuple):
    """The slot keeps its time but can't begin now."""

    slot_id: str
    reason: str


class Miss(NamedTuple):
    """The slot's time is over, and it has no video."""

    slot_id: str
    reason: str


type Change = Add | Restore | Withdraw
type Decision = Order | Move | Hold | Miss


def lead(production_seconds: float | None) -> timedelta:
    """Return how long before its slot a production begins. Nine of ten took `production_seconds` at most."""
    if production_seconds is None:
        return DEFAULT_LEAD
    return min(max(SAFETY * timedelta(seconds=production_seconds) + PUBLISHING, SHORTEST_LEAD), LONGEST_LEAD)


def times_of_day(videos_per_day: int, publish_times: Iterable[str]) -> list[str]:
    """Return the local times of a day's videos in order: the channel's own times, then default times."""
    own = sorted(set(publish_times))[:videos_per_day]
    more = [each for each in DEFAULT_TIMES if each not in own][: videos_per_day - len(own)]
    return sorted([*own, *more])


def slots_of_day(day: date, times: Iterable[str], zone: ZoneInfo) -> list[tuple[str, datetime]]:
    """Return (local time, moment in UTC) of a day's slots, each at a minute of its own.

    Times follow RFC 5545, 3.3.5: a time that the clock skips counts by the offset before the change (02:30
    becomes 03:30), and of a time that occurs twice the first is meant.
    """
    found: dict[datetime, str] = {}
    for each in times:
        # A ZoneInfo reads a skipped or repeated time (fold=0) by the offset before the change.
        at = datetime.combine(day, time.fromisoformat(each), zone).astimezone(UTC)
        while at in found:
            at += timedelta(minutes=1)
        found[at] = each
    return [(each, at) for at, each in found.items()]


def lay_out(channel: Channel, slots: Iterable[Slot], now: datetime) -> list[Change]:
    """Return what makes the channel's coming slots match its settings.

    `slots` are the open ones, and all from today on in the channel's time zone. A slot that was moved,
    skipped, missed or ordered stays as it is. New slots leave enough time for their production.
    """
    known = {(slot.day, slot.time): slot for slot in slots}
    wanted = _wanted(channel, now) if channel.is_active else {}
    changes: list[Change] = []
    for key, at in wanted.items():
        slot = known.get(key)
        if slot is None:
            changes.append(Add(channel.id, *key, at))
        elif slot.state == "withdrawn" or (slot.state in OPEN and slot.planned_at == slot.publish_at != at):
            changes.append(Restore(slot.id, at))
    reason = TIMES_CHANGED if channel.is_active else NOT_ACTIVE
    unwanted = [slot for key, slot in known.items() if slot.state in OPEN and key not in wanted]
    # A slot whose production is due, or that was moved, stays although its regular time is too near by now.
    changes += [
        Withdraw(slot.id, reason)
        for slot in unwanted
        if not channel.is_active or slot.planned_at > now + channel.lead
    ]
    return changes


def _wanted(channel: Channel, now: datetime) -> dict[tuple[date, str], datetime]:
    zone = ZoneInfo(channel.time_zone)
    times = times_of_day(channel.videos_per_day, channel.publish_times)
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=number) for number in range(HORIZON_DAYS + 1))
    return {
        (day, each): at
        for day in days
        for each, at in slots_of_day(day, times, zone)
        if at > now + channel.lead
    }


def is_due(slot: Slot, lead: timedelta, now: datetime) -> bool:
    """Return whether the slot's production should begin now, or its time is over."""
    return slot.state in OPEN and slot.publish_at - lead <= now


def decide(
    now: datetime,
    channels: Mapping[str, Channel],
    slots: Iterable[Slot],
    limits: Mapping[str, Limit],
    occupied: Mapping[str, Mapping[str, datetime]],
) -> list[Decision]:
    """Return what happens to each slot that is due, in the order in which it should be done.

    Organisations take turns, so that one with many channels doesn't use up a shared quota first.
    `occupied` has the time of each coming slot that is open or ordered, by channel and slot.
    """
    left = {name: limit.left for name, limit in limits.items()}
    topics = {channel.id: channel.topics for channel in channels.values()}
    times = {channel_id: dict(occupied.get(channel_id, {})) for channel_id in channels}
    decisions: list[Decision] = []
    for slot in _in_turns(slots, channels):
        channel = channels[slot.channel_id]
        if not is_due(slot, channel.lead, now) or (not channel.is_active and slot.publish_at > now):
            continue
        taken = {at for slot_id, at in times[channel.id].items() if slot_id != slot.id}
        decision = _decide_one(now, channel, slot, topics[channel.id], left, limits, taken)
        decisions.append(decision)
        if isinstance(decision, Order | Move):
            times[channel.id][slot.id] = decision.at
        if isinstance(decision, Order):
            topics[channel.id] -= 1
            for name, amount in channel.needs.items():
                left[name] -= amount
    return decisions


def _in_turns(slots: Iterable[Slot], channels: Mapping[str, Channel]) -> list[Slot]:
    seen: Counter[str] = Counter()
    ranked = []
    for slot in sorted(slots, key=lambda each: (each.planned_at, each.id)):
        organisation_id = channels[slot.channel_id].organisation_id
        ranked.append((seen[organisation_id], slot.planned_at, slot.id, slot))
        seen[organisation_id] += 1
    return [slot for *_, slot in sorted(ranked, key=lambda each: each[:3])]


def _decide_one(
    now: datetime,
    channel: Channel,
    slot: Slot,
    topics: int,
    left: Mapping[str, float],
    limits: Mapping[str, Limit],
    taken: set[datetime],
) -> Decision:
    ready_at = now + channel.lead
    if not channel.is_active:
        return Miss(slot.id, NOT_ACTIVE)
    if slot.publish_at <= now:
        if slot.state == "held":
            return Miss(slot.id, slot.reason or NO_TOPIC)
        # Nobody looked in time.
        if not channel.catch_up:
            return Miss(slot.id, OUTAGE)
        return Move(slot.id, _free(ready_at, taken), CAUGHT_UP)
    if not topics:
        return Hold(slot.id, NO_TOPIC)
    short = [limits[name] for name, amount in channel.needs.items() if left[name] < amount]
    if short:
        last = max(short, key=lambda limit: limit.renews_at)
        return postpone(slot, last.renews_at + channel.lead, last.reason, taken)
    if ready_at - slot.publish_at > LATE:
        return Order(slot.id, _free(ready_at, taken), BEGAN_LATE)
    if slot.publish_at in taken:
        return Order(slot.id, _free(slot.publish_at, taken), SAME_MINUTE)
    return Order(slot.id, slot.publish_at, slot.reason if slot.publish_at != slot.planned_at else None)


def postpone(slot: Slot, at: datetime, reason: str, taken: set[datetime]) -> Move | Hold:
    """Return the move to `at` or soon after it, or a hold if that is too long after the regular time."""
    latest = slot.planned_at + LONGEST_MOVE
    free = _free(at, taken) if at <= latest else at
    return Move(slot.id, free, reason) if free <= latest else Hold(slot.id, reason)


def _free(at: datetime, taken: set[datetime]) -> datetime:
    """Return the first full minute from `at` on that is not close to a taken time."""
    minute = at.replace(second=0, microsecond=0)
    free = minute if minute == at else minute + timedelta(minutes=1)
    while near := [each for each in taken if abs(each - free) < APART]:
        free = max(near) + APART
    return free
