"""Calls of the accounts API that several tests make, and what they read from the answers and emails."""

import re

from showrunner.database import db
from tests.conftest import Client

PASSWORD = "Correct-horse-7-battery"


OTHER = "Another-staple-9-horse"


ANYONE = Client()


def error(response):
    return response.status, response.body["error"]["code"]


def fields(response):
    return [detail["field"] for detail in response.body["error"]["details"]]


def mailed(aws, to):
    """Return the newest email to an address as SES received it, None if there is none."""
    emails = emails_to(to)
    return emails[-1] if emails else None


def emails_to(address):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses.models import ses_backends

    return [
        each.__dict__
        for each in ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
        if address in str(each.__dict__)
    ]


def token_in(email):
    return re.search(r"#token=([A-Za-z0-9_-]{43})", str(email))[1]


def log_in(email, password=PASSWORD, address="192.0.2.1", **more):
    headers = more.pop("headers", {})
    return Client(address=address)(
        "POST", "/api/v1/auth/login", {"email": email, "password": password, **more}, **headers
    )


def renew(refresh_token):
    return ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": refresh_token})


def alive(client):
    return client("GET", "/api/v1/users/me").status


def make_admin(tx, email):
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE email = :email", email=email)
    return Client(log_in(email).body["access_token"])
