"""Steps of a login or connection through Google, as the browser and Google's page make them."""

import time
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, build_opener

from local.platforms import google as stand_in
from tests.accounts.calls import ANYONE

BACK = "http://localhost:5173/oauth"
CHANNEL, OTHER_CHANNEL = f"UC{'a' * 22}", f"UC{'b' * 22}"


START, LOGIN = "/api/v1/auth/oauth/google/start", "/api/v1/auth/oauth/google"


CONNECT_START, CONNECT = "/api/v1/auth/oauth/youtube/start", "/api/v1/auth/oauth/youtube"


class NoRedirect(HTTPErrorProcessor):
    def http_response(self, request, response):
        return response


class Begun(NamedTuple):
    """A started login as the browser holds it: Google's address, our cookie and the state."""

    url: str
    cookie: str
    state: str

    @property
    def asked(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


def begin(path=START, client=ANYONE, **query):
    response = client("GET", f"{path}?{urlencode(query)}" if query else path)
    assert response.status == 200, response
    return Begun(
        response.body["authorization_url"],
        response.headers["set-cookie"].partition(";")[0],
        response.body["state"],
    )


def agree(begun, email, **more):
    """Consent on Google's page. Returns the query parameters that come back to the redirect_uri."""
    with build_opener(NoRedirect).open(f"{begun.url}&{urlencode({'as': email, **more})}") as answer:
        assert answer.status == 302, answer.read()
        back = answer.headers["location"]
    assert back.startswith(begun.asked["redirect_uri"])
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def finish(begun, returned, path=LOGIN, client=ANYONE, cookie=None, **more):
    body = {name: returned[name] for name in ("code", "state") if name in returned}
    return client("POST", path, {**body, **more}, cookie=begun.cookie if cookie is None else cookie)


def google_login(email, **more):
    begun = begin()
    return finish(begun, agree(begun, email), **more)


def connect(me, email, **more):
    """`more`: the channel that is chosen on Google's page."""
    begun = begin(CONNECT_START, me)
    return finish(begun, agree(begun, email, **more), CONNECT, me)


def code_of(email):
    return stand_in.Code({}, email, ["openid"], time.time())
