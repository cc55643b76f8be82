"""Each kind of token that we or Google issue is accepted in its own place only."""

import os

import pytest

from local.platforms import google as stand_in
from showrunner.database import db
from tests.accounts.calls import ANYONE, OTHER, PASSWORD, log_in, mailed, token_in
from tests.accounts.google.calls import agree, begin, code_of, finish
from tests.conftest import Client


@pytest.fixture
def every_token(aws, tx, signing_key, world, me, email):
    """Return a started login and one valid token of each kind that we or Google issue."""
    pair = log_in(email).body
    admin_email = f"admin-{email}"
    Client(address="203.0.113.80")(
        "POST", "/api/v1/auth/register", {"email": admin_email, "password": PASSWORD, "full_name": "Boss"}
    )
    verify = token_in(mailed(aws, admin_email))
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE email = :email", email=admin_email)
    admin = Client(log_in(admin_email).body["access_token"])
    guest = f"guest-{email}"
    me("POST", f"/api/v1/organisations/{me.organisation_id}/members", {"email": guest})
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})
    begun = begin()
    return begun, {
        "access": pair["access_token"],
        "refresh": pair["refresh_token"],
        "acting": admin("POST", f"/api/v1/admin/users/{pair['user']['id']}/impersonate").body["access_token"],
        "service": me(
            "POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}
        ).body["token"],
        "api key": me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]}).body[
            "key"
        ],
        "ticket": me("POST", "/api/v1/live/tickets").body["ticket"],
        "verify": verify,
        "invitation": token_in(mailed(aws, guest)),
        "reset": token_in(mailed(aws, email)),
        "state": begun.state,
        "browser": begun.cookie.partition("=")[2],
        "code": agree(begun, email)["code"],
        "google": stand_in.sign(
            world.sign_ins, stand_in.claims(world.sign_ins, os.environ["GOOGLE_URL"], code_of(email))
        ),
    }


# Which kinds each place accepts; it refuses all others.
GOOD = {
    "a person's bearer": {"access", "acting"},
    # An API key opens the Platform API for its scopes by design: this one has videos:read.
    "anyone's bearer": {"access", "acting", "service", "api key"},
    "refresh": {"refresh"},
    "verify": {"verify"},
    "reset": {"reset"},
    "invitation": set(),
    "state": set(),
    "code": set(),
}


def test_each_kind_of_token_is_accepted_in_its_own_place_only(every_token, monkeypatch):
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100")
    begun, known = every_token
    places = {
        "a person's bearer": lambda text: Client(text)("GET", "/api/v1/users/me"),
        "anyone's bearer": lambda text: Client(text)("GET", "/api/v1/videos"),
        "refresh": lambda text: ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": text}),
        "verify": lambda text: ANYONE("POST", "/api/v1/auth/verify", {"token": text}),
        "invitation": lambda text: Client(address="203.0.113.81")(
            "POST",
            "/api/v1/auth/register",
            {"email": "else@example.com", "password": OTHER, "full_name": "Eve", "invitation": text},
        ),
        "state": lambda text: finish(begin(), {"code": known["code"], "state": text}),
        "code": lambda text: finish(fresh := begin(), {"code": text, "state": fresh.state}),
        "reset": lambda text: ANYONE(
            "POST", "/api/v1/auth/password/reset", {"token": text, "password": OTHER}
        ),
    }
    # Accepted tokens come last in each place, and the reset, which ends every session, last of all.
    order = [
        (place, kind) for place in places for kind in sorted(known, key=lambda kind: kind in GOOD[place])
    ]
    statuses = {(place, kind): places[place](known[kind]).status for place, kind in order}

    assert {key for key, status in statuses.items() if status < 300} == {
        (place, kind) for place, kinds in GOOD.items() for kind in kinds
    }
    assert {status for (place, kind), status in statuses.items() if kind not in GOOD[place]} == {
        400,
        401,
        403,
    }
    assert (
        finish(begun, {"code": agree(begun, "another@example.com")["code"], "state": begun.state}).status
        == 200
    ), "code and state of one login, in its browser"
