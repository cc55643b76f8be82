"""Hold what the stand-ins for Content ID and the Reporting API know."""

import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
# No limit is published (the Google console shows the one of a project).
CALLS_A_DAY = 100_000


@dataclass
class Rights:
    """The state of Content ID.

    `owners`: id of a content owner -> its display name. `members`: address of a Google account -> the owners
    that it may act for. `assets`: id -> {owner, type, title, isrc, ownership, match_policies (owner ->
    policy), metadata (owner -> what it says)}. `policies`: owner -> id -> saved policy. `videos`: id ->
    {owner (None for anybody's), title, views}. `channels`: id of a YouTube channel -> the owner that it is
    linked to. `manual`: owners that may claim the videos of others. `claims`: id -> claim, with `owner`.
    """

    owners: dict[str, str] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    assets: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, dict[str, Json]] = field(default_factory=dict)
    videos: dict[str, Json] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    manual: set[str] = field(default_factory=set)
    claims: dict[str, Json] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    calls_a_day: int = CALLS_A_DAY
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lock: threading.RLock = field(default_factory=threading.RLock)

    def learn(self, known: Json) -> None:
        """Apply `rights` of POST /_state: the fields of this class but calls, numbers and lock."""
        for name in ("owners", "members", "assets", "policies", "videos", "claims", "channels"):
            getattr(self, name).update(known.get(name, {}))
        self.manual.update(known.get("manual", []))
        self.calls_a_day = known.get("calls_a_day", self.calls_a_day)


@dataclass
class Jobs:
    """The state of the Reporting API.

    `types`: id -> {name, deprecateTime, systemManaged}. `jobs`: id -> {account (content owner or address),
    reportTypeId, name, systemManaged, monetary (needs the scope for money), expireTime}. `reports`: id ->
    {jobId, startTime, endTime, createTime, and content or file (the path of a gzip file)}. `ranges`: whether
    files are sent in parts.
    """

    types: dict[str, Json] = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    reports: dict[str, Json] = field(default_factory=dict)
    ranges: bool = True

    def learn(self, known: Json) -> None:
        """Apply `reporting` of POST /_state: types, jobs, reports."""
        for name in ("types", "jobs", "reports"):
            getattr(self, name).update(known.get(name, {}))
