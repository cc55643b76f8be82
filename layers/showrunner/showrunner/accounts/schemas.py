"""Define the request and response bodies of /auth, /users and /organisations."""

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from showrunner.access import email_addresses, roles
from showrunner.web.fields import PATTERN_WORDS, Body, Id, Line, Moment, Pagination, Query, Result, Timestamp

Email = Annotated[
    str,
    Field(max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(email_addresses.stored),
]
# Only what no password can be. access/passwords.py refuses weak ones, each with its reason.
Password = Annotated[str, Field(min_length=1, max_length=1000)]
Username = Annotated[str, Field(pattern="^[a-z0-9_.-]{3,40}$")]
OneTimeToken = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]
CODE_PATTERN = "^([0-9]{6}|[A-Za-z2-7]{5}-?[A-Za-z2-7]{5})$"


def _digits_of(code: object) -> object:
    """Return a code as we compare it: people type 123 456 or 123-456, and digits of their own script."""
    if not isinstance(code, str):
        return code
    plain = "".join(str(unicodedata.decimal(each, each)) for each in code if not each.isspace())
    digits = re.sub(r"[-.·\u2010-\u2015]", "", plain)
    return digits if digits.isdecimal() else plain


SecondFactorCode = Annotated[
    str,
    BeforeValidator(_digits_of),
    Field(
        pattern=CODE_PATTERN,
        description="Six digits of the authenticator app, or a recovery code.",
    ),
]
UNSUBSCRIBE_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.[a-z_]{1,40}$"
InvitedRole = Literal["user", "viewer"]
# An admin of the organisation does what its owner does, except transferring or deleting it.
MemberRole = Literal["admin", "user", "viewer"]
ApiKeyScope = Literal[(*roles.SCOPES, "ingestion")]  # type: ignore[valid-type]
ServiceScope = Literal[roles.SCOPES]  # type: ignore[valid-type]


PATTERN_WORDS |= {
    "^[a-z0-9_.-]{3,40}$": "is no username: 3 to 40 small letters, digits, dots, hyphens and underscores",
    "^[A-Za-z0-9_-]{43}$": "is not one of ours: send it as you got it",
    UNSUBSCRIBE_PATTERN: "is not one of ours: open the link in the email again",
    CODE_PATTERN: "is no code: six digits of the app, or a recovery code like abcde-fghij",
    "^[!-~]+$": "has characters that an address can't have",
    "^[a-z0-9][a-z0-9_-]{0,99}$": "is no name: small letters, digits, hyphens and underscores, at most 100",
}


# Requests


class Registration(Body):
    """`invitation` is the token of an invitation email.

    Without one the person gets an organisation of their own.
    """

    email: Email
    password: Password
    full_name: Annotated[Line, Field(max_length=200)]
    company: Annotated[Line, Field(max_length=200)] | None = None
    username: Username | None = None
    invitation: OneTimeToken | None = None


class LoginOptions(Body):
    """Without `organisation_id` the login is for the organisation that the person joined first."""

    mfa_code: SecondFactorCode | None = None
    organisation_id: Id | None = None


class Login(LoginOptions):
    email: Email
    password: Password


class AuthorizationRequest(Query):
    """`redirect_uri` is where the provider sends the browser back to, by default the first of the list."""

    redirect_uri: Annotated[str, Field(max_length=500, pattern="^[!-~]+$")] | None = None


class AuthorizationResponse(Body):
    """The parameters that the provider added to `redirect_uri`."""

    state: OneTimeToken
    code: Annotated[str, Field(max_length=2000, pattern="^[!-~]+$")] | None = None
    iss: Annotated[str, Field(max_length=500)] | None = None


class GoogleLogin(LoginOptions, AuthorizationResponse):
    """`code` and `state` as Google sent them.

    After AUTH_REQUIRED send the same `state` again, with `mfa_code`.
    """


class RefreshRequest(Body):
    refresh_token: Id


class EmailToken(Body):
    token: OneTimeToken


class EmailAddress(Body):
    email: Email


class PasswordReset(EmailToken):
    password: Password


class SecondFactorConfirmation(Body):
    code: SecondFactorCode


class PasswordConfirmation(Body):
    password: Password


class ProfileChanges(Body):
    """Omitted fields keep their value."""

    full_name: Annotated[Line, Field(max_length=200)] | None = None
    company: Annotated[Line, Field(max_length=200)] | None = None
    username: Username | None = None
    password: Password | None = None
    current_password: Password | None = None


class NotificationChanges(Body):
    """Omitted fields keep their value."""

    low_backlog: Annotated[bool, Field(strict=True)] | None = None


class Unsubscription(Body):
    token: Annotated[str, Field(max_length=100, pattern=UNSUBSCRIBE_PATTERN)]


class NewApiKey(Body):
    name: Annotated[Line, Field(max_length=100)]
    scopes: Annotated[list[ApiKeyScope], Field(min_length=1, max_length=20)]
    expires_at: Moment | None = None


class NewServiceToken(Body):
    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,99}$")]
    scopes: Annotated[list[ServiceScope], Field(min_length=1, max_length=20)]
    expires_in_days: Annotated[int, Field(ge=1, le=365, strict=True)] = 90


class OrganisationChanges(Body):
    name: Annotated[Line, Field(max_length=200)]


class Invitation(Body):
    email: Email
    role: InvitedRole = "user"


class RoleChange(Body):
    email: Email
    role: MemberRole


class OwnershipTransfer(Body):
    """`email` of the member who becomes the owner, and the caller's own password."""

    email: Email
    password: Password


class RemovalConfirmation(Query):
    confirmation_token: Annotated[str, Field(max_length=100, pattern="^[A-Za-z0-9_-]+$")] | None = None


# Responses


class MessageResponse(Result):
    message: str


class RegisteredUser(Result):
    user_id: str
    email: str
    verification_required: bool


class LoggedInUser(Result):
    id: str
    email: str
    full_name: str
    role: Literal["admin", "user", "viewer"]
    organisation_id: str


class TokenPair(Result):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: LoggedInUser


class AuthorizationUrl(Result):
    authorization_url: str
    state: str
    expires_in: int


class Connection(Result):
    """An account at a provider that the organisation may act on."""

    id: str
    provider: Literal["youtube"]
    scopes: list[str]
    missing_scopes: list[str]
    channel_id: str | None
    channel_title: str | None
    connected_at: Timestamp


class ConnectionResponse(Result):
    connection: Connection


class LinkedAccount(Result):
    """An account at a provider: `google` logs the caller in, the organisation acts on `youtube`."""

    id: str
    provider: Literal["google", "youtube"]
    state: Literal["connected", "disconnected"]
    scopes: list[str]
    channel_id: str | None
    connected_by: str | None
    connected_at: Timestamp


class LinkedAccountList(Result):
    connections: list[LinkedAccount]
    pagination: Pagination


class SecondFactorSecret(Result):
    secret: str
    otpauth_url: str


class RecoveryCodes(Result):
    recovery_codes: list[str]


class Profile(Result):
    id: str
    email: str
    username: str | None
    full_name: str
    company: str | None
    verified: bool
    mfa: bool
    created_at: Timestamp
    last_login_at: Timestamp | None


class ProfileResponse(Result):
    user: Profile


class Notifications(Result):
    low_backlog: bool


class NotificationsResponse(Result):
    notifications: Notifications


class UsedOfLimit(Result):
    used: int
    limit: int


class UsedMoney(Result):
    """USD as decimal strings: paid this month, reserved by running productions, and the month's budget."""

    used: str
    reserved: str
    limit: str


class Usage(Result):
    """`videos_today` and `channels` count the caller's own, the others the organisation's."""

    videos_today: UsedOfLimit
    channels: UsedOfLimit
    assets: UsedOfLimit
    asset_bytes: UsedOfLimit
    month_usd: UsedMoney


class UsageResponse(Result):
    usage: Usage


class BillingPeriod(Result):
    begins_at: Timestamp
    ends_at: Timestamp


class CostByStep(Result):
    """Money in USD as decimal strings."""

    script: str
    voice: str
    visuals: str
    render: str
    upload: str
    storage: str


class SpentInPeriod(Result):
    """`list_price_usd` is what stand-ins would have cost; nobody pays it."""

    total_usd: str
    list_price_usd: str
    videos: int
    breakdown: CostByStep


class Credits(Result):
    added_usd: str
    spent_usd: str
    balance_usd: str


class Invoice(Result):
    id: str
    number: str
    period_begins: str
    period_ends: str
    amount_usd: str
    status: Literal["open", "paid", "void"]
    issued_at: Timestamp
    paid_at: Timestamp | None


class Billing(Result):
    """`credits` is null for an organisation that pays afterwards."""

    plan: str
    currency: Literal["USD"]
    period: BillingPeriod
    spent: SpentInPeriod
    credits: Credits | None
    invoices: list[Invoice]


class BillingResponse(Result):
    billing: Billing


class ErasureReceipt(Result):
    id: str
    user_id: str
    erased_at: Timestamp
    organisations_left_empty: list[str]
    kept: str


class ErasureResponse(Result):
    receipt: ErasureReceipt


class ApiKey(Result):
    """`prefix` is the beginning of the key. A replaced one is valid until `expires_at`."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    replaces: str | None
    replaced_at: Timestamp | None


class NewApiKeyResponse(Result):
    """`key` is shown only in this response."""

    api_key: ApiKey
    key: str


class ApiKeyList(Result):
    api_keys: list[ApiKey]
    pagination: Pagination


class ServiceToken(Result):
    id: str
    name: str
    scopes: list[str]
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp
    revoked_at: Timestamp | None


class NewServiceTokenResponse(Result):
    """`token` is shown only in this response."""

    service_token: ServiceToken
    token: str


class ServiceTokenList(Result):
    service_tokens: list[ServiceToken]
    pagination: Pagination


class Organisation(Result):
    """`voices` are the ids of its cloned voices at the speech provider."""

    id: str
    name: str
    content_owner: bool
    content_owners: list[str]
    created_at: Timestamp
    members: int
    voices: list[str]


class OrganisationResponse(Result):
    organisation: Organisation


class Member(Result):
    """`user_id` and `full_name` are null for a person who is invited and hasn't accepted yet."""

    user_id: str | None
    email: str
    full_name: str | None
    role: str
    is_owner: bool
    status: Literal["member", "invited"]
    since: Timestamp


class MemberList(Result):
    members: list[Member]
    pagination: Pagination


class LiveTicket(Result):
    ticket: str
    expires_in: int
    url: str
