"""admin/pages.py: the links in emails open pages that do what the emails say."""

import re
from html.parser import HTMLParser

import pytest

from tests.accounts.calls import ANYONE, OTHER, log_in, mailed, token_in


class Page(HTMLParser):
    """The addresses that a page loads, and its forms with the names of their fields."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.forms = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.loaded += [found[name] for name in ("src", "href") if name in found]
        if tag == "form":
            self.forms.append({"post": found["data-post"], "fields": [found["data-token"]]})
        if tag == "input":
            self.forms[-1]["fields"].append(found["name"])


def opened(email):
    """Return the page that the link in an email opens."""
    path = re.search(r"http://127\.0\.0\.1:8000(/\w+)#token=", str(email))[1]
    response = ANYONE("GET", path)
    assert response.headers["content-type"].startswith("text/html")
    return Page(response.body)


def submit(form, **values):
    assert set(values) == set(form["fields"])
    return ANYONE("POST", form["post"], values)


@pytest.mark.parametrize("path", ["/verify", "/reset", "/invitation"])
def test_a_page_loads_only_files_of_its_own_site(path):
    page = Page(ANYONE("GET", path).body)

    assert page.loaded
    for address in page.loaded:
        file = ANYONE("GET", address)
        assert file.status == 200
        assert file.headers["content-type"].startswith(("text/css", "text/javascript"))
    assert ANYONE("GET", "/pages/verify.html").status == 404


def test_the_email_of_a_registration_opens_a_page_that_confirms(aws, unconfirmed, email):
    letter = mailed(aws, email)

    assert submit(opened(letter).forms[0], token=token_in(letter)).status == 200


def test_the_email_of_a_reset_opens_a_page_that_sets_the_password(aws, user, email):
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})
    letter = mailed(aws, email)

    assert submit(opened(letter).forms[0], token=token_in(letter), password=OTHER).status == 200
    assert log_in(email, OTHER).status == 200


def test_the_email_of_an_invitation_opens_a_page_for_members_and_new_people(aws, me, members):
    me("POST", members, {"email": "new@example.com"})
    letter = mailed(aws, "new@example.com")
    accept, register = opened(letter).forms

    assert set(accept["fields"]) == {"token"}
    response = submit(
        register, invitation=token_in(letter), email="new@example.com", full_name="New", password=OTHER
    )
    assert response.status == 201
