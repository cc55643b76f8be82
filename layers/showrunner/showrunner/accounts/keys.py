"""Make, list and revoke API keys and service tokens: the credentials of programs."""

import secrets

from showrunner import config
from showrunner.access import roles, sessions, tokens
from showrunner.access.digests import sha256
from showrunner.accounts import live_sessions
from showrunner.accounts.reauthentication import credential_owner
from showrunner.accounts.schemas import (
    ApiKeyList,
    NewApiKey,
    NewApiKeyResponse,
    NewServiceToken,
    NewServiceTokenResponse,
    ServiceTokenList,
)
from showrunner.aws import ssm
from showrunner.database import db
from showrunner.errors import Forbidden
from showrunner.keys.inventory import INGESTION_KEYS
from showrunner.store.access import api_keys, service_tokens
from showrunner.web import answers, audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.body import parse
from showrunner.web.fields import Page
from showrunner.web.routing import Request

routes = Routes()

DAY_SECONDS = 86_400


@routes.get("/api/v1/auth/api-keys", permission="tokens:all", answer=ApiKeyList)
def list_api_keys(request: Request, query: Page) -> Answer:
    """List the organisation's API keys, each by the beginning of its text."""
    with db.reading() as tx:
        return answers.listed("api_keys", api_keys.list_(tx, request.organisation_id, query.request()))


@routes.post(
    "/api/v1/auth/api-keys",
    permission="tokens:all",
    answer=NewApiKeyResponse,
    status=201,
    idempotent=True,
    verified=True,
)
def add_api_key(request: Request, body: NewApiKey) -> Answer:
    """Create a key. Its text is in this response only.

    A key with the scope `ingestion` opens the Ingestion API of the whole stage: only platform admins can
    create one.
    """
    creator = credential_owner(request)
    _require_grantable(request, body.scopes)
    text = _new_text()
    row = {
        "created_by": creator,
        "name": body.name,
        "prefix": text[:10],
        "key_sha256": sha256(text),
        "scopes": body.scopes,
        "expires_at": body.expires_at,
    }

    def work(tx: db.Transaction) -> Answer:
        key = parse(api_keys.add(tx, request.organisation_id, row).encode())
        audit.record(tx, request, "add", "api_key", key["id"], scopes=body.scopes)
        return Answer({"api_key": key, "key": text}, 201)

    return idempotency.once(request, work, secret=True)


@routes.post(
    "/api/v1/auth/api-keys/{key_id}/rotate",
    permission="tokens:all",
    answer=NewApiKeyResponse,
    status=201,
    idempotent=True,
    verified=True,
    errors=(409,),
)
def rotate_api_key(request: Request, key_id: str) -> Answer:
    """Create a key in place of another one, with its name, scopes and lifetime.

    Both are valid for 24 hours, or until the old one expires. Give the program the new key, look at
    `last_used_at` of the old one, and remove it earlier if nothing uses it any more. The new key's text is in
    this response only. 409 if the key was replaced already or has expired.
    """
    creator = credential_owner(request)
    text = _new_text()

    def work(tx: db.Transaction) -> Answer:
        scopes = api_keys.list_scopes(tx, request.organisation_id, key_id)
        _require_grantable(request, scopes)
        row = {"created_by": creator, "prefix": text[:10], "key_sha256": sha256(text)}
        made = api_keys.rotate(tx, request.organisation_id, key_id, row, INGESTION_KEYS.overlap_hours)
        key = parse(made.encode())
        audit.record(tx, request, "rotate", "api_key", key_id.lower(), scopes=scopes, successor=key["id"])
        return Answer({"api_key": key, "key": text}, 201)

    return idempotency.once(request, work, secret=True)


def _new_text() -> str:
    return f"sr_{secrets.token_urlsafe(32)}"


def _require_grantable(request: Request, scopes: list[str]) -> None:
    """Raise Forbidden for scopes that the caller doesn't have."""
    missing = [scope for scope in scopes if not roles.allows(request.caller.permissions, scope)]
    if missing:
        raise Forbidden(f"You can't grant scopes that you don't have: {', '.join(missing)}.")


@routes.delete("/api/v1/auth/api-keys/{key_id}", permission="tokens:all", status=204)
def remove_api_key(request: Request, key_id: str) -> Answer:
    """Remove a key. It stops working at once."""
    credential_owner(request)
    with db.transaction() as tx:
        api_keys.remove(tx, request.organisation_id, key_id)
        audit.record(tx, request, "remove", "api_key", key_id.lower())
    live_sessions.end(
        request, f"{request.organisation_id}/service:key:{key_id.lower()}", family=key_id.lower()
    )
    return Answer(status=204)


@routes.get("/api/v1/auth/service-tokens", permission="tokens:all", answer=ServiceTokenList)
def list_service_tokens(request: Request, query: Page) -> Answer:
    """List the organisation's service tokens, including revoked ones."""
    with db.reading() as tx:
        return answers.listed(
            "service_tokens", service_tokens.list_(tx, request.organisation_id, query.request())
        )


@routes.post(
    "/api/v1/auth/service-tokens",
    permission="tokens:all",
    answer=NewServiceTokenResponse,
    status=201,
    idempotent=True,
    verified=True,
)
def add_service_token(request: Request, body: NewServiceToken) -> Answer:
    """Create a token for a program of the organisation. Its text is in this response only."""
    creator = credential_owner(request)
    _require_grantable(request, body.scopes)
    seconds, issuer = body.expires_in_days * DAY_SECONDS, config.setting("PLATFORM_URL")
    claims = tokens.service_claims(body.name, request.organisation_id, body.scopes, issuer, seconds, creator)
    signed = tokens.sign(claims, sessions.signing_key(ssm.secret("auth/signing_key")))
    row = {
        "id": claims["jti"],
        "created_by": creator,
        "name": body.name,
        "scopes": body.scopes,
        "expires_at": claims["exp"],
    }

    def work(tx: db.Transaction) -> Answer:
        token = parse(service_tokens.add(tx, request.organisation_id, row).encode())
        audit.record(tx, request, "add", "service_token", claims["jti"], scopes=body.scopes, name=body.name)
        return Answer({"service_token": token, "token": signed}, 201)

    return idempotency.once(request, work, secret=True)


@routes.delete("/api/v1/auth/service-tokens/{token_id}", permission="tokens:all", status=204)
def revoke_service_token(request: Request, token_id: str) -> Answer:
    """Revoke a token. It is refused from the next request on."""
    credential_owner(request)
    with db.transaction() as tx:
        name = service_tokens.revoke(tx, request.organisation_id, token_id.lower())
        audit.record(tx, request, "revoke", "service_token", token_id.lower())
    live_sessions.end(request, f"{request.organisation_id}/service:{name}", family=token_id.lower())
    return Answer(status=204)
