"""Define the request and response bodies of /admin."""

from typing import Annotated, Any, Literal

from pydantic import Field

from showrunner.web.fields import (
    PATTERN_WORDS,
    Body,
    Id,
    Line,
    Moment,
    Page,
    Pagination,
    Query,
    Result,
    Timestamp,
)

# The other patterns of this module are those of channels and accounts.
PATTERN_WORDS |= {
    "^[A-Za-z0-9]{10,40}$": "is not the id of a voice; copy it from the speech provider",
    "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$": (
        "is no content owner's name: letters, digits, _ . and -, as in the names of YouTube's files"
    ),
    "^[A-Za-z0-9_-]{1,100}$": "is no content owner's id: Studio's address has it after o=",
}

# `failed`: a login, password or code was wrong. `denied`: the caller lacked the permission.
AuditOutcome = Literal["success", "failed", "denied"]

# Requests


class MaintenanceRequest(Body):
    """`estimated_time` in minutes."""

    enabled: Annotated[bool, Field(strict=True)]
    message: Annotated[Line, Field(max_length=500)] = "We are working on the system and will be back soon."
    estimated_time: Annotated[int, Field(ge=1, le=1440, strict=True)] = 15


class ContentOwnerMark(Body):
    """`name` adds one of the organisation's content owners on YouTube, or changes its other names.

    Its reports are dropped into the folder `drops/<name>/` of the media bucket.
    """

    content_owner: Annotated[bool, Field(strict=True)] = True
    name: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] | None = None
    changes_need_approval: Annotated[bool, Field(strict=True)] | None = None
    other_names: Annotated[
        list[Annotated[Line, Field(max_length=100)]],
        Field(
            max_length=20, description="What files call it too, for example its id.", examples=[["id0iPcHV"]]
        ),
    ] = Field(default_factory=list)
    youtube_id: (
        Annotated[
            str,
            Field(
                pattern="^[A-Za-z0-9_-]{1,100}$",
                description="Its id at YouTube, which claims and automatic reports need; omitted, it stays.",
                examples=["id0iPcHVhBSEWEVn5pOQZw"],
            ),
        ]
        | None
    ) = None
    uses_service_account: Annotated[bool, Field(strict=True)] | None = None


class Suspension(Body):
    """`reason` is for other admins; the suspended person sees only that they are suspended."""

    reason: Annotated[Line, Field(max_length=500)]


class LimitChanges(Body):
    """Omitted limits are the plan's."""

    videos_per_day: Annotated[int, Field(ge=0, le=10_000, strict=True)] | None = None
    channels: Annotated[int, Field(ge=0, le=10_000, strict=True)] | None = None
    assets: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] | None = None
    asset_bytes: Annotated[int, Field(ge=0, le=10**14, strict=True)] | None = None
    month_usd: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] | None = None


class OwnProject(Body):
    """The quotas that Google grants an organisation's own project, as its console shows them."""

    units_a_day: Annotated[int, Field(ge=1, le=100_000_000, strict=True)]
    inserts_a_day: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]


class ClonedVoices(Body):
    """The speech provider's ids of all voices that were cloned for the organisation."""

    voice_ids: Annotated[list[Annotated[str, Field(pattern="^[A-Za-z0-9]{10,40}$")]], Field(max_length=100)]


class UserFilter(Page):
    email: Annotated[Line, Field(max_length=254)] | None = None


class SuppressedPage(Query):
    """A page of the suppression list. `cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(min_length=1, max_length=4000)] | None = None


class BackupPage(Query):
    """A page of backups. `cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Id | None = None


class SuppressedAddress(Query):
    email: Annotated[str, Field(min_length=3, max_length=254)]


class AuditFilter(Page):
    organisation_id: Id | None = None
    subject: Annotated[str, Field(max_length=200)] | None = None
    actor: Annotated[str, Field(max_length=200)] | None = None
    action: Annotated[str, Field(max_length=100)] | None = None
    thing: Annotated[str, Field(max_length=100)] | None = None
    thing_id: Annotated[str, Field(max_length=200)] | None = None
    outcome: AuditOutcome | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None


class NewKey(Body):
    """`value` is the new key of a service; the stage makes its own keys itself."""

    value: Annotated[str, Field(min_length=8, max_length=4096)] | None = None


# Responses


class JwkSet(Result):
    keys: list[dict[str, str]]


class Probe(Result):
    status: Literal["ok", "failed"]
    milliseconds: float
    reason: str | None


class QueueDepth(Result):
    """Messages that wait, and messages that are being processed."""

    waiting: int
    in_flight: int


class SystemHealth(Result):
    status: Literal["ok", "degraded", "down"]
    reasons: list[str]
    probes: dict[str, Probe]
    queues: dict[str, QueueDepth]
    breakers: dict[str, Literal["closed", "open"]]
    timestamp: Timestamp


class QuotaShare(Result):
    """The part of a day's quota that belongs to one use.

    After 20:00 Pacific what a share hasn't used is everybody's.
    """

    share: str
    used: int
    limit: int


class OrganisationUnits(Result):
    """Units that an organisation's publications have reserved today."""

    organisation_id: str
    used: int


class PlatformQuota(Result):
    """A quota of a platform in its day. Airtable's is of a month, and `day` is its first one.

    Those of Instagram, and Airtable's `plan`, are percentages, as the platform's answers say them.
    """

    project: str
    bucket: str
    day: str
    used: int
    limit: int
    resets_at: Timestamp
    shares: list[QuotaShare]
    publications: list[OrganisationUnits]


class PlatformRate(Result):
    """The most calls that a platform allows in any window of so many seconds."""

    platform: str
    calls: int
    seconds: int
    available: int


class PlatformQuotaList(Result):
    quotas: list[PlatformQuota]
    rates: list[PlatformRate]


class AdminUser(Result):
    """A user as platform admins see them."""

    id: str
    email: str
    username: str | None
    full_name: str
    company: str | None
    verified: bool
    mfa: bool
    platform_admin: bool
    suspended_at: Timestamp | None
    suspended_reason: str | None
    created_at: Timestamp
    last_login_at: Timestamp | None


class AdminUserList(Result):
    users: list[AdminUser]
    pagination: Pagination


class AdminUserResponse(Result):
    user: AdminUser


class OrganisationLimits(Result):
    """`videos_per_day` and `channels` are per person, the others per organisation."""

    videos_per_day: int
    channels: int
    assets: int
    asset_bytes: int
    month_usd: int


class OwnProjectResponse(Result):
    """An organisation's own Google project. Its calls count in `project` of GET /admin/quotas."""

    project: str
    units_a_day: int
    inserts_a_day: int


class LimitsResponse(Result):
    limits: OrganisationLimits


class ImpersonatedUser(Result):
    id: str
    email: str
    full_name: str
    role: str
    organisation_id: str


class ImpersonationToken(Result):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: ImpersonatedUser


class MaintenanceState(Result):
    enabled: bool
    message: str | None
    estimated_time: int | None


class AuditEvent(Result):
    id: int
    at: Timestamp
    organisation_id: str | None
    subject: str
    actor: str | None
    action: str
    thing: str
    thing_id: str
    outcome: AuditOutcome
    reason: str | None
    change: dict[str, Any]
    request_id: str
    address: str | None


class AuditEventList(Result):
    events: list[AuditEvent]
    pagination: Pagination


class KeyRotation(Result):
    """`error` says why a rotation failed; then the secret before it stays in use.

    `refused_readers`: the functions that a service refused with a version while it was revoked.
    """

    rotation_id: str
    kind: Literal["rotate", "rollback", "revoke"]
    progress: Literal["running", "done", "failed"]
    begun_at: Timestamp
    finished_at: Timestamp | None
    error: str | None
    refused_readers: list[str]


class KeyRead(Result):
    """`version` is the one that the function read last."""

    reader: str
    version: int
    read_at: Timestamp
    refused_at: Timestamp | None


class StageKey(Result):
    """A secret of the stage without its value.

    `rotation`: automatic, assisted (a person brings the new key), manual, derived (changes with another).
    `configured`: false if the stage has no such service, which skips the secret.
    `version` and `written_at` are null if it is not there.
    """

    name: str
    title: str
    rotation: Literal["automatic", "assisted", "manual", "derived"]
    readers: list[str]
    required: bool
    configured: bool
    source: str | None
    version: int | None
    written_at: Timestamp | None
    age_days: int | None
    max_age_days: int
    next_rotation_at: Timestamp | None
    overdue: bool
    has_previous: bool
    previous_ends_at: Timestamp | None
    previous_used_by: list[str]
    last_read_at: Timestamp | None
    last_read_by: str | None
    reads: list[KeyRead]
    newest_rotation: KeyRotation | None


class ManyKeys(Result):
    """A kind of secret of which there are many, hashed or sealed in the database or the state table.

    `max_age_days` is null if age says nothing about it. An overdue one that is `automatic` is replaced with
    the next renewal of its lease.
    """

    kind: str
    title: str
    rotation: Literal["automatic", "assisted", "manual", "derived"]
    overlap_hours: float
    max_age_days: int | None
    count: int
    oldest_at: Timestamp | None
    overdue: int


class KeyList(Result):
    keys: list[StageKey]
    many: list[ManyKeys]


class RotationStarted(Result):
    rotation_id: str
    name: str
    kind: Literal["rotate", "rollback", "revoke"]


class BackupRestore(Result):
    """A restore into a new database. `identical`: every count and checksum is as in the backup."""

    id: Id
    status: Literal["running", "identical", "different", "failed"]
    database: str
    started_at: Timestamp
    finished_at: Timestamp | None
    differences: list[str]
    erased: int | None
    error: str | None


class Backup(Result):
    """A copy of all tables. `encryption` and `storage_class` are S3's words."""

    id: Id
    kind: Literal["nightly", "manual"]
    status: Literal["running", "complete", "failed"]
    started_at: Timestamp
    finished_at: Timestamp | None
    age_hours: float
    tables: int
    rows: int | None
    bytes: int | None
    sha256: str | None
    encryption: Literal["aws:kms"]
    storage_class: Literal["STANDARD_IA"]
    error: str | None
    restore: BackupRestore | None


class BackupList(Result):
    backups: list[Backup]
    next_cursor: Id | None


class BackupStarted(Result):
    id: Id


class RestoreStarted(Result):
    id: Id
    restore_id: Id
    database: str


class SuppressedEmail(Result):
    """An address that gets no email from us. `reason`: bounce (it doesn't exist) or complaint (spam)."""

    email: str
    reason: Literal["bounce", "complaint"]
    since: Timestamp


class SuppressedEmailList(Result):
    suppressed: list[SuppressedEmail]
    next_cursor: str | None
