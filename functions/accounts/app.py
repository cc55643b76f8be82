"""Platform API: /api/v1/auth, /users, /organisations -> who people are, what they may do, and what they log in with."""

import base64
import hashlib
import secrets
import time
import uuid
from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, Field

from showrunner import config
from showrunner.access import limits, mfa, oauth, passwords, roles, sessions, tokens
from showrunner.aws import ssm
from showrunner.database import db, pages
from showrunner.errors import (
    Conflict,
    CredentialRejected,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ServiceUnavailable,
    ShowrunnerError,
    Unauthorized,
)
from showrunner.store.access import api_keys, email_tokens, login_attempts, maintenance, oauth_states, refresh_tokens, service_tokens, windows
from showrunner.store.accounts import connected_accounts, identities, members, organisations, personal_data, second_factors, users
from showrunner.store.ledger import billing
from showrunner.store.studio import channels
from showrunner.web import answers, application, audit, fields, idempotency, log
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import checked, parse
from showrunner.web.fields import Body, Id, Line, Moment, Page, Query
from showrunner.web.routing import Request

app = Application("accounts")

VERIFY_MINUTES, RESET_MINUTES, INVITE_MINUTES = 24 * 60, 60, 7 * 24 * 60
# Letters to one address in an hour: enough for somebody whose mail is slow, too few to be a nuisance to anyone.
LETTERS_AN_HOUR = 5
# Longer than a letter takes to be handed over, so that the time of an answer doesn't tell for which addresses one was.
LETTER_SECONDS = 1.0
DAY_SECONDS = 86_400


def _address(text: str) -> str:
    if text.lower().endswith(".invalid"):
        raise ValueError("must be an address that letters can reach")  # RFC 2606; those of erased people end so
    return text.lower()


# Checked before it is made lower-case: lower() makes a plain k of the Kelvin sign.
Email = Annotated[str, Field(max_length=254, pattern=r"^[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}$"), AfterValidator(_address)]
# Weak ones are refused by name; here only what no password can be.
Password = Annotated[str, Field(min_length=1, max_length=1000)]
Username = Annotated[str, Field(pattern="^[a-z0-9_.-]{3,40}$")]
MailToken = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]
MfaCode = Annotated[str, Field(pattern="^([0-9]{6}|[A-Za-z2-7]{5}-?[A-Za-z2-7]{5})$", description="Six digits of the app, or a recovery code.")]
Role = Literal["user", "viewer"]
Scope = Literal[(*roles.SCOPES, "ingestion")]


class Registration(Body):
    """`invitation` is the token of an invitation's e-mail; without one the person gets an organisation of their own."""

    email: Email
    password: Password
    full_name: Annotated[Line, Field(max_length=200)]
    company: Annotated[Line, Field(max_length=200)] | None = None
    username: Username | None = None
    invitation: MailToken | None = None


class Entry(Body):
    mfa_code: MfaCode | None = None
    organisation_id: Id | None = None


class Login(Entry):
    email: Email
    password: Password


class Way(Query):
    """`redirect_uri` is where the provider sends the browser back to: one of the stage's list, by default the first."""

    redirect_uri: Annotated[str, Field(max_length=500, pattern="^[!-~]+$")] | None = None


class Returned(Body):
    """What the provider's way back brought."""

    state: MailToken
    code: Annotated[str, Field(max_length=2000, pattern="^[!-~]+$")] | None = None
    iss: Annotated[str, Field(max_length=500)] | None = None


class GoogleLogin(Entry, Returned):
    """`code` and `state` as Google's way back brought them. Where the answer is AUTH_REQUIRED, `state` again with `mfa_code`."""


class Refresh(Body):
    refresh_token: Id


class Token(Body):
    token: MailToken


class Address(Body):
    email: Email


class Reset(Token):
    password: Password


class Code(Body):
    code: MfaCode


class Proof(Body):
    password: Password


class Profile(Body):
    """What is left out stays."""

    full_name: Annotated[Line, Field(max_length=200)] | None = None
    company: Annotated[Line, Field(max_length=200)] | None = None
    username: Username | None = None
    password: Password | None = None
    current_password: Password | None = None


class NewKey(Body):
    name: Annotated[Line, Field(max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    expires_at: Moment | None = None


class NewServiceToken(Body):
    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,99}$")]
    scopes: Annotated[list[Literal[roles.SCOPES]], Field(min_length=1, max_length=20)]  # type: ignore[valid-type]
    expires_in_days: Annotated[int, Field(ge=1, le=365, strict=True)] = 90


class Organisation(Body):
    name: Annotated[Line, Field(max_length=200)]


class Invitation(Body):
    email: Email
    role: Role = "user"


class Registered(TypedDict):
    user_id: str
    email: str
    verification_required: bool


class Pair(TypedDict):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: dict[str, Any]


class Started(TypedDict):
    authorization_url: str
    state: str
    expires_in: int


class Connection(TypedDict):
    id: str
    provider: Literal["youtube"]
    scopes: list[str]
    missing_scopes: list[str]
    channel_id: str | None
    channel_title: str | None
    connected_at: str


class Connected(TypedDict):
    connection: Connection


class Done(TypedDict):
    message: str


class MfaSecret(TypedDict):
    secret: str
    otpauth_url: str


class RecoveryCodes(TypedDict):
    recovery_codes: list[str]


class User(TypedDict):
    user: dict[str, Any]


class Usage(TypedDict):
    usage: dict[str, Any]


class Period(TypedDict):
    begins_at: str
    ends_at: str


class Breakdown(TypedDict):
    script: str
    voice: str
    visuals: str
    render: str
    upload: str
    storage: str


class Spent(TypedDict):
    """`list_price_usd` is what stand-ins would have cost; nobody pays it."""

    total_usd: str
    list_price_usd: str
    videos: int
    breakdown: Breakdown


class Credits(TypedDict):
    added_usd: str
    spent_usd: str
    balance_usd: str


class Invoice(TypedDict):
    id: str
    number: str
    period_begins: str
    period_ends: str
    amount_usd: str
    status: Literal["open", "paid", "void"]
    issued_at: str
    paid_at: str | None


class Account(TypedDict):
    plan: str
    currency: Literal["USD"]
    period: Period
    spent: Spent
    credits: Credits | None
    invoices: list[Invoice]


class Billing(TypedDict):
    billing: Account


class Key(TypedDict):
    api_key: dict[str, Any]
    key: str


class Keys(TypedDict):
    api_keys: list[dict[str, Any]]
    pagination: fields.Pagination


class ServiceToken(TypedDict):
    service_token: dict[str, Any]
    token: str


class ServiceTokens(TypedDict):
    service_tokens: list[dict[str, Any]]
    pagination: fields.Pagination


class OrganisationTold(TypedDict):
    organisation: dict[str, Any]


class Members(TypedDict):
    members: list[dict[str, Any]]


class Receipt(TypedDict):
    receipt: dict[str, Any]


class Ticket(TypedDict):
    ticket: str
    expires_in: int
    url: str


# Logging in and out


@app.post("/api/v1/auth/register", permission=roles.PUBLIC, limits=((3600, 5),), answer=Registered, status=201, errors=(409,))
def register(request: Request, body: Registration) -> Answer:
    """A new account with an organisation of its own, or in the one that invited it. A letter asks to confirm the address."""
    passwords.require(body.password, body.email, body.full_name, body.username or "")
    hashed = passwords.digest(body.password)
    token = secrets.token_urlsafe(32)
    with db.transaction() as tx:
        user_id = users.add(tx, body.email, hashed, body.full_name, body.company, body.username)
        organisation_id, role, invited = _place(tx, body)
        members.add(tx, organisation_id, user_id, role, owner=not invited)
        if invited:
            users.save_verified(tx, user_id)
        else:
            email_tokens.add(tx, digest(token), "verify", body.email, VERIFY_MINUTES, user_id=user_id)
        audit.record(tx, request, "register", "user", user_id)
    if not invited:
        _send(request, body.email, "verify", token)
    return Answer({"user_id": user_id, "email": body.email, "verification_required": not invited}, 201)


def _place(tx: db.Transaction, body: Registration) -> tuple[str, str, bool]:
    """Organisation, role, and whether somebody invited them. The letter came to this address, which confirms it."""
    if body.invitation is None:
        return organisations.add(tx, body.company or body.full_name), "user", False
    invitation = email_tokens.take(tx, digest(body.invitation), ["invite"])
    if invitation is None or invitation["email"] != body.email:
        raise _stale("invitation")
    return invitation["organisation_id"], invitation["role"], True


def _stale(field: str) -> InvalidRequest:
    message = "not valid, used, or too old"
    return InvalidRequest(f"The {field} is {message}.", [{"field": field, "message": message}])


def _send(request: Request, email: str, kind: str, *about: str) -> None:
    """A letter that doesn't go is in the log; the person can ask for another."""
    from botocore.exceptions import BotoCoreError, ClientError

    from showrunner.accounts import emails
    from showrunner.aws.email import send

    try:
        send(email, getattr(emails, kind)(*about))
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "letter not sent", kind=kind, reason=str(error)[:500])


@app.post("/api/v1/auth/verify", permission=roles.PUBLIC, limits=((60, 20),), answer=Done)
def verify(request: Request, body: Token) -> Done:
    """Confirms an address by the token of its letter, or accepts an invitation to an organisation with the account that there is."""
    with db.transaction() as tx:
        token = email_tokens.take(tx, digest(body.token), ["verify", "invite"])
        user = users.find(tx, token["email"]) if token else None
        if token is None or user is None:
            raise _stale("token")
        users.save_verified(tx, user["id"])
        if token["kind"] == "invite":
            if user["verified_at"] is None:
                _disown(tx, user["id"])
            members.add(tx, token["organisation_id"], user["id"], token["role"])
        audit.record(tx, request, token["kind"], "user", user["id"])
    return {"message": "Thank you."}


def _disown(tx: db.Transaction, user_id: str) -> None:
    """Anybody may have registered an address that was never confirmed: neither their password nor their second factor stands before its owner."""
    users.save_password(tx, user_id, None)
    second_factors.save(tx, user_id, None, confirmed=False, codes=[])


@app.post("/api/v1/auth/password/forgot", permission=roles.PUBLIC, limits=((60, 5), (3600, 20)), answer=Done, status=202)
def forgot(request: Request, body: Address) -> Answer:
    """Sends a letter with a link, if there is such an account; the answer is the same either way. Links of earlier letters live out their hour."""
    token, begun = secrets.token_urlsafe(32), time.monotonic()
    with db.transaction() as tx:
        user = users.find(tx, body.email)
        if user is not None and _may_write(tx, body.email):
            email_tokens.add(tx, digest(token), "reset", body.email, RESET_MINUTES, user_id=user["id"])
            audit.record(tx, request, "password_forgotten", "user", user["id"], subject="anybody")
        else:
            user = None
    if user is not None:
        _send(request, body.email, "reset", token)
    time.sleep(max(0.0, begun + LETTER_SECONDS - time.monotonic()))
    return Answer({"message": "If there is an account with this address, a letter is on its way to it."}, 202)


def _may_write(tx: db.Transaction, email: str) -> bool:
    """Whether this address gets another letter now. Nobody is told that it doesn't: whoever used its letters up would keep the owner out by that."""
    try:
        limits.spend(tx, limits.windows(f"forgot:{email}", ((3600, LETTERS_AN_HOUR),))[0])
    except LimitExceeded:
        return False
    return True


@app.post("/api/v1/auth/password/reset", permission=roles.PUBLIC, limits=((60, 10),), answer=Done)
def reset(request: Request, body: Reset) -> Done:
    """A new password by the token of the letter. Every session ends."""
    with db.reading() as tx:
        email = email_tokens.find(tx, digest(body.token), "reset")
    if email is None:
        raise _stale("token")  # before the hash, or any text would cost us one
    passwords.require(body.password, email)
    hashed = passwords.digest(body.password)
    with db.transaction() as tx:
        token = email_tokens.take(tx, digest(body.token), ["reset"])
        user = users.find(tx, token["email"]) if token else None
        if token is None or user is None:
            raise _stale("token")
        if user["verified_at"] is None:
            _disown(tx, user["id"])
        users.save_password(tx, token["user_id"], hashed)
        users.save_verified(tx, token["user_id"])
        audit.record(tx, request, "password_reset", "user", token["user_id"])
    _end_live(request, token["user_id"])
    return {"message": "The password is changed: log in with it."}


@app.post("/api/v1/auth/login", permission=roles.PUBLIC, limits=((60, 10),), open_in_maintenance=True, answer=Pair, errors=(401, 404, 502))
def login(request: Request, body: Login) -> dict[str, Any]:
    """An access token for an hour and a refresh token for seven days. Five wrong tries lock the account for 15 minutes."""
    with db.transaction() as tx:
        user = users.find_login(tx, body.email, _places(request))
        key = login_attempts.take(tx, body.email, "known" if user and user["known"] else None)
    # No transaction is open while the hash is computed, and the attempt is counted already.
    if not passwords.matches(body.password, user["password_hash"] if user else None) or user is None:
        raise Unauthorized("E-mail address or password is wrong.", code="INVALID_CREDENTIALS")
    secret = _mfa_secret(user)
    outdated = passwords.digest(body.password) if passwords.is_outdated(user["password_hash"]) else None
    with db.transaction() as tx:
        return _enter(tx, request, body, user, secret, key, outdated)


def _enter(
    tx: db.Transaction, request: Request, body: Entry, user: dict[str, Any], secret: str | None, key: str | None, outdated: str | None
) -> dict[str, Any]:
    """The pair of tokens for somebody who is known by now, but for the second factor."""
    user_id = user["id"]
    if not users.hold_login(tx, user):
        # A reset or a change came in between: its owner has ended every session, and this one would outlive it.
        raise Unauthorized("The password or the second factor was changed just now: log in again.", code="INVALID_CREDENTIALS")
    _second_factor(tx, user_id, secret, body.mfa_code)
    member = members.get(tx, user_id, body.organisation_id)
    _refuse_in_maintenance(tx, member)
    if key is not None:
        login_attempts.forgive(tx, key)
    users.save_login(tx, user_id, _places(request), outdated)
    audit.record(tx, request, "login", "user", user_id)
    return sessions.begin(tx, member)


def _places(request: Request) -> list[str]:
    """Where a login comes from: the address, and the device where the client names one (a random text that it keeps)."""
    device = request.headers.get("x-device-id", "")
    named = [f"address {request.place}"] + ([f"device {device}"] if len(device) >= 16 else [])
    return [digest(place) for place in named]


def _mfa_secret(user: dict[str, Any]) -> str | None:
    return _unsealed(user["mfa_secret"], user["id"]) if user["mfa_secret"] else None


def _unsealed(sealed: str, user_id: str) -> str:
    """Raises CredentialRejected for a value that was changed, or belongs to somebody else."""
    from cryptography.exceptions import InvalidTag

    from showrunner.access import sealing

    try:
        return sealing.open_(base64.b64decode(sealed), "mfa", user_id).decode()
    except InvalidTag as error:
        raise CredentialRejected("The second factor can't be read: support must remove it.") from error


def _second_factor(tx: db.Transaction, user_id: str, secret: str | None, code: str | None) -> None:
    """Raises Unauthorized unless the code is right and new. The attempt stays counted until it is."""
    if secret is None:
        return
    if code is None:
        raise Unauthorized("The account has a second factor: send mfa_code too.", code="AUTH_REQUIRED")
    step = mfa.step_of(secret, code)
    used = second_factors.spend_step(tx, user_id, step) if step is not None else second_factors.spend_recovery_code(tx, user_id, mfa.digest(code))
    if not used:
        raise Unauthorized("The code is wrong, or was used before.", code="INVALID_CREDENTIALS")


def _refuse_in_maintenance(tx: db.Transaction, member: dict[str, Any]) -> None:
    message = None if member["platform_admin"] else maintenance.message(tx)
    if message is not None:
        raise ServiceUnavailable(message, retry_after=60, code="MAINTENANCE_MODE")


@app.post("/api/v1/auth/refresh", permission=roles.PUBLIC, answer=Pair, errors=(401,))
def refresh(request: Request, body: Refresh) -> dict[str, Any]:
    """The next pair of tokens. A refresh token works once; one that comes back later ends all of its login's."""
    return sessions.renew(body.refresh_token)


@app.post("/api/v1/auth/logout", permission="account:all", status=204)
def logout(request: Request) -> Answer:
    """Ends this login: its refresh tokens, and the access token that was sent."""
    with db.transaction() as tx:
        sessions.end(tx, request.caller)
        audit.record(tx, request, "logout", "user", request.caller.subject)
    _end_live(request, request.caller.account, family=request.caller.family or request.caller.token_id)
    return Answer(status=204)


def _end_live(request: Request, account: str, *, family: str | None = None, but: str | None = None) -> None:
    """What a login that is over had open is told nothing more: all of the account's, those of one login or token, or all but those of one."""
    from showrunner.aws import rpc
    from showrunner.live import connections as live_connections

    try:
        live_connections.end(account, family=family, but=but)
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "live connections end with their tokens only", reason=error.message)


# Through Google


@app.get("/api/v1/auth/oauth/google/start", permission=roles.PUBLIC, limits=((60, 20),), open_in_maintenance=True, answer=Started, errors=(502,))
def start_google(request: Request, query: Way) -> Answer:
    """Where to send the browser to log in with Google. A cookie ties what comes back to this browser, for ten minutes: call it and the POST from a page of the
    API's own site, with credentials."""
    from showrunner.platforms import google

    return _begun(query, "google", google.LOGIN, offline=False)


def _begun(query: Way, provider: str, scopes: tuple[str, ...], *who: str, offline: bool) -> Answer:
    from showrunner import breakers
    from showrunner.platforms.google import Google

    redirect_uri = _redirect(query.redirect_uri)
    browser, own = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    proof = {"state": own, "nonce": oauth.nonce(browser, own), "code_challenge": oauth.challenge(oauth.verifier(browser, own))}
    client_id = _client()[0]
    with breakers.guard("google"):
        address = Google(config.setting("GOOGLE_URL")).address(client_id, redirect_uri, scopes, offline=offline, **proof)
    with db.transaction() as tx:
        oauth_states.add(tx, digest(own), oauth.bound(browser, *who), provider, redirect_uri, oauth.SECONDS)
    return Answer({"authorization_url": address, "state": own, "expires_in": oauth.SECONDS}, headers={"set-cookie": oauth.cookie(browser)})


def _redirect(wanted: str | None) -> str:
    """Compared to the letter: a prefix or a pattern is what open redirects are made of."""
    allowed = config.setting("OAUTH_REDIRECTS").split(",")
    if (wanted or allowed[0]) not in allowed:
        message = "not one of the addresses that a login may return to"
        raise InvalidRequest(f"The redirect_uri is {message}.", [{"field": "redirect_uri", "message": message}])
    return wanted or allowed[0]


def _client() -> tuple[str, str]:
    """Id and secret of our client at Google."""
    known = ssm.secrets(["google/client_id", "google/client_secret"])
    # Pasted values may end with a line break.
    return known["google/client_id"].strip(), known["google/client_secret"].strip()


@app.post("/api/v1/auth/oauth/google", permission=roles.PUBLIC, limits=((60, 20),), open_in_maintenance=True, answer=Pair, errors=(401, 403, 404, 409, 502))
def log_in_with_google(request: Request, body: GoogleLogin) -> Answer:
    """Logs in whoever Google names; at the first time the account of the same confirmed address is linked, or a new one made."""
    taken = _taken(request, body, "google")
    user_id, subject = taken["user_id"], taken["subject"]
    if user_id is None:
        person, _ = _exchanged(request, body, taken["redirect_uri"])
        with db.transaction() as tx:
            user_id, subject = _account_of(tx, request, person), person.subject
            oauth_states.save_proven(tx, digest(body.state), user_id, subject)
    with db.reading() as tx:
        user = users.get_login(tx, user_id, _places(request))
    secret = _mfa_secret(user)
    key = _attempt(user) if secret else None
    with db.transaction() as tx:
        linked = identities.add(tx, "google", subject, user_id)
        if linked:
            audit.record(tx, request, "link", "user", user_id, provider="google")
            # Before this login's own begins: whoever had got into the account by its password doesn't stay.
            refresh_tokens.revoke_other_families(tx, user_id, None)
        # Refused without the second factor, and then nothing is linked: who has only the mailbox links nothing.
        pair = _enter(tx, request, body, user, secret, key, None)
        oauth_states.remove(tx, digest(body.state))
    if linked:
        _end_live(request, user_id)
        _send(request, user["email"], "linked")
    return Answer(pair, headers={"set-cookie": oauth.cookie("")})


def _taken(request: Request, body: Returned, provider: str, *who: str) -> dict[str, Any]:
    """What was begun with this state, in this browser and by these."""
    browser = oauth.browser_of(request.cookies)
    with db.transaction() as tx:
        taken = oauth_states.take(tx, digest(body.state), oauth.bound(browser, *who), provider) if browser else None
    if taken is None:
        raise _stale("state")
    return taken


def _exchanged(request: Request, body: Returned, redirect_uri: str) -> tuple[oauth.Person, Any]:
    """Whom Google names, and what it grants. The caller waits for Google here: time-outs and a breaker bound that."""
    from showrunner import breakers
    from showrunner.platforms.google import Google

    google, browser = Google(config.setting("GOOGLE_URL")), oauth.browser_of(request.cookies)
    if body.code is None:
        raise InvalidRequest("The code is missing.", [{"field": "code", "message": "missing"}], code="MISSING_FIELD")
    if body.iss not in (None, google.issuer):
        raise _stale("iss")
    client_id, client_secret = _client()
    with breakers.guard("google"):
        granted = google.exchange(client_id, client_secret, redirect_uri, body.code, oauth.verifier(browser, body.state))
        person = oauth.person(granted.id_token, google.keys, client_id, google.issuer, oauth.nonce(browser, body.state))
    return person, granted


def _account_of(tx: db.Transaction, request: Request, person: oauth.Person) -> str:
    """The user whom this account of Google's belongs to. An address alone proves nothing unless Google and we have both confirmed it: anybody can register
    an address that isn't theirs and wait for its owner."""
    known = identities.find_user(tx, "google", person.subject)
    if known is not None:
        return known
    if person.email is None or not person.email_verified:
        raise Forbidden("Google hasn't confirmed the address of this account: confirm it there, or log in with a password.")
    user = users.find(tx, checked(Address, {"email": person.email}).email)
    if user is None:
        return _new_from_google(tx, request, person.email, person.subject, person.name)
    if user["verified_at"] is None:
        raise Conflict("This address has an account that nobody has confirmed: reset its password by letter, then log in with Google.")
    if not person.owns_mailbox:
        # Google confirmed it once; whose it is now, only who runs the mailbox knows.
        raise Conflict("This address has an account, and its mailbox isn't Google's: log in with the password (POST /auth/password/forgot sets a new one).")
    return str(user["id"])


def _new_from_google(tx: db.Transaction, request: Request, email: str, subject: str, name: str | None) -> str:
    full_name = " ".join("".join(sign if sign.isprintable() else " " for sign in name or "").split())[:200] or email.partition("@")[0]
    user_id = users.add(tx, email, None, full_name, None, None)
    members.add(tx, organisations.add(tx, full_name), user_id, "user", owner=True)
    users.save_verified(tx, user_id)
    identities.add(tx, "google", subject, user_id)
    audit.record(tx, request, "register", "user", user_id, provider="google")
    return user_id


def _attempt(user: dict[str, Any]) -> str:
    with db.transaction() as tx:
        return login_attempts.take(tx, user["email"], "known" if user["known"] else None)


@app.get("/api/v1/auth/oauth/youtube/start", permission="channels:write", limits=((60, 20),), answer=Started, errors=(502,), verified=True)
def start_youtube(request: Request, query: Way) -> Answer:
    """Where to send the browser to let the organisation work with a YouTube account. A cookie ties what comes back to this browser and this person."""
    from showrunner.platforms import google

    owner = _credential_owner(request)
    with db.reading() as tx:
        partner = organisations.get(tx, request.organisation_id)["content_owner"]
    scopes = (*google.YOUTUBE, google.PARTNER) if partner else google.YOUTUBE
    return _begun(query, "youtube", scopes, owner, request.organisation_id, offline=True)


@app.post("/api/v1/auth/oauth/youtube", permission="channels:write", limits=((60, 20),), answer=Connected, errors=(502,), verified=True)
def connect_youtube(request: Request, body: Returned) -> Answer:
    """Keeps the permission that Google gave, sealed. `missing_scopes` are those that were unticked: without them some things won't work."""
    from showrunner.accounts import connections
    from showrunner.platforms import google

    owner, organisation_id = _credential_owner(request), request.organisation_id
    taken = _taken(request, body, "youtube", owner, organisation_id)
    person, granted = _exchanged(request, body, taken["redirect_uri"])
    with db.reading() as tx:
        partner = organisations.get(tx, organisation_id)["content_owner"]
    asked = {*google.YOUTUBE, google.PARTNER} if partner else {*google.YOUTUBE}
    scopes = _useful(granted, asked)
    channel = _own_channel(request, granted.access_token) if google.READ in scopes else None
    channel_id, channel_title = channel or (None, None)
    subject = person.subject if channel_id is None else f"{person.subject}/{channel_id}"
    connection_id = connections.id_of(organisation_id, "youtube", subject)
    connections.save(connection_id, organisation_id, granted.refresh_token)
    with db.transaction() as tx:
        known = {"id": connection_id, "organisation_id": organisation_id, "provider": "youtube", "subject": subject, "user_id": owner, "scopes": scopes}
        row = connected_accounts.save(tx, known)
        audit.record(tx, request, "connect", "connection", connection_id, provider="youtube", scopes=scopes)
    missing = sorted(asked - {"openid", *scopes})
    return Answer(
        {"connection": {**row, "missing_scopes": missing, "channel_id": channel_id, "channel_title": channel_title}}, headers={"set-cookie": oauth.cookie("")}
    )


def _own_channel(request: Request, access_token: str) -> Any:
    """Return the channel that was chosen on Google's page, None while YouTube doesn't answer. Raises InvalidRequest if the account has none."""
    from showrunner import quotas
    from showrunner.platforms.youtube import Youtube

    youtube = Youtube("", config.setting("YOUTUBE_BASE_URL"), quotas.Ledger("youtube", "general", quotas.ALL_UNITS), access_token)
    try:
        channel = youtube.own()
    except (PlatformUnavailable, PlatformRejected, QuotaExceeded, CredentialRejected) as error:
        log.warn(request, "the connected channel is unknown", reason=error.message)
        return None
    if channel is None:
        raise InvalidRequest("This Google account has no YouTube channel: create one at youtube.com, or choose another account or channel.")
    return channel


def _useful(granted: Any, asked: set[str]) -> list[str]:
    """The scopes of a permission that we can keep. Raises PlatformRejected or InvalidRequest for one that we can't."""
    scopes = sorted(set(granted.scopes) - {"openid"})
    if granted.refresh_token is None:
        raise PlatformRejected("Google gave no lasting permission: remove showrunner at myaccount.google.com/permissions and connect again.")
    if not scopes or not asked.issuperset(scopes):
        raise InvalidRequest("Google was asked for other permissions than it gave: connect again, and leave the boxes of YouTube ticked.")
    return scopes


# Second factor


@app.post("/api/v1/auth/mfa", permission="account:all", limits=((60, 10),), answer=MfaSecret, status=201, errors=(409,))
def add_mfa(request: Request, body: Proof) -> Answer:
    """A secret for an authenticator app. It counts once a code of it was confirmed."""
    from showrunner.access import sealing

    user_id = _credential_owner(request)
    _require_password(request, body.password)
    secret = mfa.new_secret()
    sealed = base64.b64encode(sealing.seal(secret.encode(), "mfa", user_id)).decode()
    with db.transaction() as tx:
        known = second_factors.get(tx, user_id)
        if known["mfa_confirmed_at"] is not None:
            raise Conflict("The account has a second factor: remove it first.")
        second_factors.save(tx, user_id, sealed, confirmed=False, codes=[])
        audit.record(tx, request, "mfa_begun", "user", user_id)
    return Answer({"secret": secret, "otpauth_url": mfa.address(secret, known["email"])}, 201)


@app.post("/api/v1/auth/mfa/confirm", permission="account:all", limits=((60, 5),), answer=RecoveryCodes, errors=(409, 502))
def confirm_mfa(request: Request, body: Code) -> RecoveryCodes:
    """Switches the second factor on by a first code, and gives ten recovery codes, shown now and never again. Every other login ends."""
    user_id = _credential_owner(request)
    with db.reading() as tx:
        sealed = second_factors.get(tx, user_id)["mfa_secret"]
    secret = _unsealed(sealed, user_id) if sealed else None
    codes = mfa.new_recovery_codes()
    with db.transaction() as tx:
        known = second_factors.get(tx, user_id)
        if secret is None or known["mfa_secret"] != sealed or known["mfa_confirmed_at"] is not None:
            raise Conflict("There is no second factor that waits to be confirmed.")
        step = mfa.step_of(secret, body.code)
        if step is None or not second_factors.spend_step(tx, user_id, step):
            raise InvalidRequest("The code is wrong.", [{"field": "code", "message": "wrong, or used before"}])
        second_factors.save(tx, user_id, sealed, confirmed=True, codes=[mfa.digest(code) for code in codes])
        refresh_tokens.revoke_other_families(tx, user_id, request.caller.family)
        audit.record(tx, request, "mfa_confirmed", "user", user_id)
    _end_live(request, user_id, but=request.caller.family)
    return {"recovery_codes": codes}


@app.delete("/api/v1/auth/mfa", permission="account:all", limits=((60, 5),), status=204)
def remove_mfa(request: Request, body: Proof) -> Answer:
    """Switches the second factor off. The password proves that it is the owner; every other login ends."""
    user_id = _credential_owner(request)
    _require_password(request, body.password)
    with db.transaction() as tx:
        second_factors.save(tx, user_id, None, confirmed=False, codes=[])
        refresh_tokens.revoke_other_families(tx, user_id, request.caller.family)
        audit.record(tx, request, "mfa_removed", "user", user_id)
    _end_live(request, user_id, but=request.caller.family)
    return Answer(status=204)


def _credential_owner(request: Request) -> str:
    """The user whose credentials are about to change. Nobody changes another's, not even an admin who acts as them."""
    caller = request.caller
    if caller.is_service:
        raise Forbidden("A service has no account.")
    if caller.actor is not None:
        raise Forbidden("Credentials can't be changed while acting as somebody else.")
    return caller.subject


def _require_password(request: Request, password: str) -> None:
    with db.transaction() as tx:
        email = second_factors.get(tx, request.caller.subject)["email"]
        user = users.find_login(tx, email, [])
        key = login_attempts.take(tx, email, "known")
    if user is not None and user["password_hash"] is None:
        raise InvalidRequest("The account has no password yet: POST /auth/password/forgot sets one.", [{"field": "password", "message": "there is none yet"}])
    if user is None or not passwords.matches(password, user["password_hash"]):
        raise InvalidRequest("The password is wrong.", [{"field": "password", "message": "wrong"}])
    with db.transaction() as tx:
        login_attempts.forgive(tx, key)


# Keys of machines


@app.get("/api/v1/auth/api-keys", permission="tokens:all", answer=Keys)
def list_api_keys(request: Request, query: Page) -> Answer:
    """The organisation's API keys; of each only its beginning."""
    with db.reading() as tx:
        return answers.listed("api_keys", api_keys.list_(tx, request.organisation_id, _wanted(query)))


def _wanted(query: Page) -> pages.PageRequest:
    return pages.PageRequest(query.limit, query.page, query.cursor, query.sort)


@app.post("/api/v1/auth/api-keys", permission="tokens:all", answer=Key, status=201, idempotent=True, verified=True)
def add_api_key(request: Request, body: NewKey) -> Answer:
    """A new key, shown now and never again. One with the scope `ingestion` opens the Ingestion API, which is the whole stage's: platform admins make those."""
    creator = _credential_owner(request)
    _require_grantable(request, body.scopes)
    text = f"sr_{secrets.token_urlsafe(32)}"
    row = {"created_by": creator, "name": body.name, "prefix": text[:10], "key_sha256": digest(text), "scopes": body.scopes, "expires_at": body.expires_at}

    def work(tx: db.Transaction) -> Answer:
        key = parse(api_keys.add(tx, request.organisation_id, row).encode())
        audit.record(tx, request, "add", "api_key", key["id"], scopes=body.scopes)
        return Answer({"api_key": key, "key": text}, 201)

    return idempotency.once(request, work, secret=True)


def _require_grantable(request: Request, scopes: list[str]) -> None:
    """Nobody gives away more than they have."""
    more = [scope for scope in scopes if not roles.allows(request.caller.permissions, scope)]
    if more:
        raise Forbidden(f"You can't give what you don't have: {', '.join(more)}.")


@app.delete("/api/v1/auth/api-keys/{key_id}", permission="tokens:all", status=204)
def remove_api_key(request: Request, key_id: str) -> Answer:
    """The key stops working at once."""
    _credential_owner(request)
    with db.transaction() as tx:
        api_keys.remove(tx, request.organisation_id, key_id)
        audit.record(tx, request, "remove", "api_key", key_id)
    return Answer(status=204)


@app.get("/api/v1/auth/service-tokens", permission="tokens:all", answer=ServiceTokens)
def list_service_tokens(request: Request, query: Page) -> Answer:
    """The organisation's service tokens, revoked ones too."""
    with db.reading() as tx:
        return answers.listed("service_tokens", service_tokens.list_(tx, request.organisation_id, _wanted(query)))


@app.post("/api/v1/auth/service-tokens", permission="tokens:all", answer=ServiceToken, status=201, idempotent=True, verified=True)
def add_service_token(request: Request, body: NewServiceToken) -> Answer:
    """A token for a machine of the organisation, shown now and never again."""
    creator = _credential_owner(request)
    _require_grantable(request, body.scopes)
    seconds = body.expires_in_days * DAY_SECONDS
    claims = tokens.service_claims(body.name, request.organisation_id, body.scopes, config.setting("PLATFORM_URL"), seconds, creator)
    row = {"id": claims["jti"], "created_by": creator, "name": body.name, "scopes": body.scopes, "expires_at": claims["exp"]}
    signed = tokens.sign(claims, sessions.signing_key(ssm.secret("auth/signing_key")))

    def work(tx: db.Transaction) -> Answer:
        told = parse(service_tokens.add(tx, request.organisation_id, row).encode())
        audit.record(tx, request, "add", "service_token", claims["jti"], scopes=body.scopes, name=body.name)
        return Answer({"service_token": told, "token": signed}, 201)

    return idempotency.once(request, work, secret=True)


@app.delete("/api/v1/auth/service-tokens/{token_id}", permission="tokens:all", status=204)
def revoke_service_token(request: Request, token_id: str) -> Answer:
    """The token is refused from the next request on."""
    _credential_owner(request)
    with db.transaction() as tx:
        name = service_tokens.revoke(tx, request.organisation_id, token_id.lower())
        audit.record(tx, request, "revoke", "service_token", token_id.lower())
    _end_live(request, f"{request.organisation_id}/service:{name}", family=token_id.lower())
    return Answer(status=204)


# People


@app.get("/api/v1/users/me", permission="account:all", answer=User)
def show_me(request: Request) -> Answer:
    """One's own profile."""
    with db.reading() as tx:
        return Answer(f'{{"user":{users.get_profile(tx, request.caller.subject)}}}')


@app.put("/api/v1/users/me", permission="account:all", answer=User, errors=(409,))
def change_me(request: Request, body: Profile) -> Answer:
    """Changes what is given. A new password needs the current one, and ends every session."""
    hashed = _new_password(request, body)
    changes = body.model_dump(exclude_unset=True, exclude={"password", "current_password"})
    with db.transaction() as tx:
        profile = users.save_profile(tx, request.caller.subject, changes)
        if hashed is not None:
            users.save_password(tx, request.caller.subject, hashed)
        audit.record(tx, request, "change", "user", request.caller.subject, fields=sorted(body.model_fields_set))
    if hashed is not None:
        _end_live(request, request.caller.subject)
    return Answer(f'{{"user":{profile}}}')


def _new_password(request: Request, body: Profile) -> str | None:
    if body.password is None:
        return None
    _credential_owner(request)
    if body.current_password is None:
        raise InvalidRequest("The current password is missing.", [{"field": "current_password", "message": "missing"}], code="MISSING_FIELD")
    passwords.require(body.password, body.full_name or "")
    _require_password(request, body.current_password)
    return passwords.digest(body.password)


@app.get("/api/v1/users/me/export", permission="account:all", answer={"type": "object"})
def export_me(request: Request) -> Answer:
    """Everything that is held about the person, as JSON."""
    if request.caller.actor is not None:
        raise Forbidden("Nobody exports a person's data while acting as them.")
    with db.reading() as tx:
        return Answer(personal_data.export(tx, request.caller.subject))


@app.delete("/api/v1/users/me", permission="account:all", limits=((60, 5),), answer=Receipt)
def erase_me(request: Request, body: Proof) -> Answer:
    """Erases the person: the data goes now, audit rows keep an id that says nothing. The receipt says what was done."""
    user_id = _credential_owner(request)
    _require_password(request, body.password)
    with db.transaction() as tx:
        connected = connected_accounts.list_(tx, user_id)
        left = personal_data.erase(tx, user_id)
        in_use = connected_accounts.accounts_in_use(tx, [each["account"] for each in connected])
        sessions.end(tx, request.caller)
        audit.record(tx, request, "erase", "user", user_id, organisations_left_empty=left)
    _disconnect(request, connected, in_use)
    _end_live(request, user_id)
    receipt = {"id": str(uuid.uuid4()), "user_id": user_id, "erased_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "organisations_left_empty": left}
    return Answer({"receipt": {**receipt, "kept": KEPT}})


# What an erasure leaves, in the words of its receipt.
KEPT = (
    "Audit rows: they name the id and the network (a /24 or /48) that calls came from. What organisations have made, under their ids; those left empty have "
    "lost their names. In organisations with other members, answers to repeated calls, which name the id, for up to seven days."
)


def _disconnect(request: Request, connected: list[dict[str, Any]], in_use: set[str]) -> None:
    """Revokes and removes tokens. Google ends all of an account's tokens with one: those of an account `in_use` elsewhere are only removed.
    Once the erasure stands, so that none that fails takes the accounts away. What Google doesn't take is in the log; the token is gone."""
    from showrunner import breakers
    from showrunner.accounts import connections
    from showrunner.aws import rpc
    from showrunner.platforms.google import Google

    for each in connected:
        try:
            token = connections.find(each["id"], each["organisation_id"])
            if token is not None and each["account"] not in in_use:
                with breakers.guard("google"):
                    Google(config.setting("GOOGLE_URL")).revoke(token)
        except ShowrunnerError as error:
            log.warn(request, "not revoked", connection_id=each["id"], reason=error.message)
        try:
            connections.remove(each["id"])
        except (ServiceUnavailable, rpc.AwsError) as error:
            log.warn(request, "the sealed token is left: remove it from the state table", connection_id=each["id"], reason=error.message)


@app.get("/api/v1/users/me/usage", permission="account:all", answer=Usage)
def show_usage(request: Request) -> dict[str, Any]:
    """What was used today against what may be."""
    with db.reading() as tx:
        videos = windows.used(tx, f"generate:{request.caller.holder}", limits.DAY)
        made = channels.count(tx, request.caller.holder)
    return {"usage": {"videos_today": {"used": videos, "limit": limits.GENERATE_A_DAY}, "channels": {"used": made, "limit": channels.MOST}}}


@app.get("/api/v1/users/me/billing", permission="account:all", answer=Billing)
def show_billing(request: Request) -> Answer:
    """What the organisation has used this month, what it has paid ahead, and its invoices. `credits` is null where it pays afterwards."""
    with db.reading() as tx:
        return Answer(f'{{"billing":{billing.get(tx, request.organisation_id)}}}')


# Organisations


@app.get("/api/v1/organisations/{organisation_id}", permission="organisation:read", answer=OrganisationTold)
def show_organisation(request: Request, organisation_id: str) -> dict[str, Any]:
    """One's own organisation."""
    with db.reading() as tx:
        return {"organisation": organisations.get(tx, _own(request, organisation_id))}


def _own(request: Request, organisation_id: str) -> str:
    """Another organisation is not there, as far as anybody outside can tell."""
    if organisation_id.lower() != request.organisation_id:
        raise NotFound("There is no such organisation.")
    return request.organisation_id


@app.put("/api/v1/organisations/{organisation_id}", permission="organisation:write", answer=OrganisationTold)
def change_organisation(request: Request, organisation_id: str, body: Organisation) -> dict[str, Any]:
    """Renames the organisation."""
    with db.transaction() as tx:
        organisations.save(tx, _own(request, organisation_id), body.name)
        # Not the names: it may be a person's, and audit rows outlive people.
        audit.record(tx, request, "change", "organisation", request.organisation_id, fields=["name"])
        return {"organisation": organisations.get(tx, request.organisation_id)}


@app.get("/api/v1/organisations/{organisation_id}/members", permission="organisation:read", answer=Members)
def list_members(request: Request, organisation_id: str) -> dict[str, Any]:
    """Members, and who is invited."""
    with db.reading() as tx:
        return {"members": members.list_(tx, _own(request, organisation_id))}


@app.post(
    "/api/v1/organisations/{organisation_id}/members",
    permission="organisation:write",
    limits=((3600, 50),),
    answer=Done,
    status=202,
    verified=True,
    errors=(409,),
)
def invite(request: Request, organisation_id: str, body: Invitation) -> Answer:
    """Invites a person by e-mail; a second invitation takes the place of the first."""
    _credential_owner(request)
    token = secrets.token_urlsafe(32)
    with db.transaction() as tx:
        organisation = organisations.get(tx, _own(request, organisation_id))
        if members.is_member(tx, organisation["id"], body.email):
            raise Conflict("This person is a member already.")
        email_tokens.add(tx, digest(token), "invite", body.email, INVITE_MINUTES, organisation_id=organisation["id"], role=body.role)
        audit.record(tx, request, "invite", "organisation", organisation["id"], role=body.role)
    _send(request, body.email, "invite", token, organisation["name"])
    return Answer({"message": "The invitation is on its way."}, 202)


@app.delete("/api/v1/organisations/{organisation_id}/members", permission="organisation:write", status=204)
def withdraw(request: Request, organisation_id: str, body: Address) -> Answer:
    """Takes an invitation back: its letter opens nothing any more."""
    _credential_owner(request)
    with db.transaction() as tx:
        members.remove_invitation(tx, _own(request, organisation_id), body.email)
        audit.record(tx, request, "withdraw", "organisation", request.organisation_id)
    return Answer(status=204)


@app.delete("/api/v1/organisations/{organisation_id}/members/{user_id}", permission="organisation:write", status=204, errors=(409,))
def remove_member(request: Request, organisation_id: str, user_id: str) -> Answer:
    """Ends a membership; the person's sessions in it end with it, and who has no other organisation gets one of their own."""
    _credential_owner(request)
    with db.transaction() as tx:
        homeless = members.remove(tx, _own(request, organisation_id), user_id)
        if homeless is not None:
            members.add(tx, organisations.add(tx, homeless), user_id, "user", owner=True)
        audit.record(tx, request, "remove", "member", user_id)
    _end_live(request, user_id.lower())
    return Answer(status=204)


# The dashboard's own connection


@app.post("/api/v1/live/tickets", permission="live:read", limits=((60, 30),), answer=Ticket, status=201)
def add_live_ticket(request: Request) -> Answer:
    """A ticket for one connection to the Live API: connect to `<url>?ticket=<ticket>` within half a minute.

    Send `{"action": "subscribe", "topics": [...]}` with `video:<id>`, `videos`, `reports`, `syncs` or, as a platform admin, `feed`; the same with
    `unsubscribe`; and `{"action": "ping"}` every nine minutes, since AWS closes what is silent for ten. Each is answered by `connection_status` with
    the topics and the time at which the connection ends, or by `error` with a code and words. What happens then comes as `video_update`,
    `processing_update` and `sync_status_update`."""
    from showrunner.live import tickets

    return Answer({"ticket": tickets.issue(request.caller), "expires_in": tickets.TICKET_SECONDS, "url": config.setting("LIVE_URL")}, 201)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


handler = application.handler(app)
