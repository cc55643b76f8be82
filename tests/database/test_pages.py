"""Lists with hostile cursors and queries: each is answered, or refused with an error that names the field."""

import base64
import json
import uuid
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from showrunner.access import sessions
from showrunner.database import db
from showrunner.database.pages import Column, List, PageRequest, select
from showrunner.errors import InvalidRequest
from showrunner.store.accounts import members, users
from tests.conftest import Client, add_organisation

# Each list with pages, the name that its cursors have, and an order.
LISTS = {
    "/api/v1/videos": ("videos", "-created_at,-id"),
    "/api/v1/channels": ("channels", "name,id"),
    "/api/v1/admin/audit": ("audit", "-id"),
    "/api/v1/admin/users": ("users", "-created_at,-id"),
}

# Values that PostgreSQL and Python may parse differently.
HOSTILE = [
    *(
        "1e999999",
        "-1e999999",
        "1e-999999",
        "NaN",
        "infinity",
        "-infinity",
        "0x10",
        "1_000",
        "٣",
        "9" * 400,
        "-0",
        "",
        " 1",
        "1 ",
    ),
    *(
        "2026-W01-1",
        "2026-001",
        "20260101",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-01-01T24:00:00",
        "2026-01-01T00:00:00.1234567890",
    ),
    *(
        "2026-01-01 00:00:00+99:99",
        "2026-02-30",
        "now",
        "epoch",
        "allballs",
        "2026-01-01T00:00:00+00:00:00.000001",
        "2026-01-01,5",
        "24:00",
    ),
    *(
        "00000000-0000-4000-8000-00000000000G",
        "{00000000-0000-4000-8000-000000000000}",
        "00000000000040008000000000000000",
    ),
    *("'; DROP TABLE studio.videos; --", "\0", "\ud800", "a" * 501, "%", "\\", "\u202e", "🦜"),
]
VALUES = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.just([]),
    st.just({}),
)
NEAR = st.tuples(
    st.sampled_from([name for name, _ in LISTS.values()]) | st.text(max_size=10),
    st.sampled_from(
        [
            *(order for _, order in LISTS.values()),
            "-created_at",
            "id",
            "created_at,created_at",
            "colour",
            "",
            "-",
            "--id",
            ",id",
            "title;",
            "id\0",
        ]
    )
    | st.text(max_size=20),
    st.lists(VALUES, max_size=4),
    st.one_of(st.integers(-2, 20_000), st.just(10**400), st.just(1e308), st.just(True), VALUES),
    st.sampled_from(["eq", "gte", "approx", "", "EQ"]) | VALUES,
)


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


CURSORS = st.one_of(
    NEAR.map(encoded),
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3), max_leaves=8).map(encoded),
    st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()),
    st.text(max_size=60),
    st.just(base64.urlsafe_b64encode(b"[" * 700).decode()),
)


@pytest.fixture(scope="module")
def caller(postgres, signing_key):
    """Commit a person with some videos: a refused statement would end a transaction that examples share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATE_LIMIT_FACTOR", "1000000")
        with db.transaction() as tx:
            organisation_id = add_organisation(tx, "Paged")
            channel = "INSERT INTO studio.channels (organisation_id, name) VALUES (:o, 'Paged') RETURNING id"
            channel_id = db.value(tx, channel, o=organisation_id)
            video = """
                INSERT INTO studio.videos (organisation_id, channel_id, request)
                SELECT :o, :c, '{}' FROM generate_series(1, 3)
            """
            db.run(tx, video, o=organisation_id, c=channel_id)
            user_id = users.add(tx, f"{uuid.uuid4().hex}@example.com", None, "Pager", None, None)
            members.add(tx, organisation_id, user_id, "user")
            db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE id = :u", u=user_id)
            token = sessions.begin(tx, members.get(tx, user_id))["access_token"]
        yield Client(token, organisation_id)
        with db.transaction() as tx:
            db.run(tx, "DELETE FROM accounts.users WHERE id = :u", u=user_id)
            db.run(tx, "DELETE FROM accounts.organisations WHERE id = :o", o=organisation_id)


@pytest.mark.parametrize("path", LISTS)
@given(cursor=CURSORS)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_cursor_is_answered_or_refused(caller, path, cursor):
    response = caller("GET", f"{path}?cursor={quote(cursor, safe='', errors='surrogatepass')}")

    assert response.status in (200, 400), (cursor, response.body)
    if response.status == 400:
        assert response.body["error"]["details"][0]["field"] == "cursor"


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("path", LISTS)
def test_a_valid_cursor_with_an_invalid_value_is_answered_or_refused(caller, path, value):
    name, order = LISTS[path]
    good = {
        "-created_at,-id": ["2026-01-01 00:00:00+00", str(uuid.uuid4())],
        "name,id": ["n", str(uuid.uuid4())],
        "-id": ["7"],
    }[order]
    accepted = caller("GET", f"{path}?cursor={encoded([name, order, good, 3, 'eq'])}")
    assert accepted.status == 200, "the cursor is refused for its value alone"
    for place in range(len(good)):
        values = [value if number == place else each for number, each in enumerate(good)]

        response = caller("GET", f"{path}?sort={order}&cursor={encoded([name, order, values, 3, 'eq'])}")

        assert response.status in (200, 400), (values, response.body)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"page={value}", "page") for value in (10**30, "1e3", "0x1", "-1", "٣", "true", "")),
        *((f"limit={value}", "limit") for value in ("1e5", 10**30, "-1", "1.5", "٣", "NaN")),
        *(
            (f"sort={value}", "sort")
            for value in (
                "id%00",
                "title%0A",
                "title%0D%0Aid",
                "%7F",
                "title%E2%80%AE",
                "-",
                ",",
                "id,id",
                "1",
                "id--",
                "created_at DESC",
            )
        ),
        *((f"cursor={value}", "cursor") for value in ("%00", "=", "a b", "é", "A" * 1001)),
    ],
)
def test_the_error_of_an_invalid_query_names_the_field(caller, query, field):
    response = caller("GET", f"/api/v1/videos?{query}")

    assert (response.status, [detail["field"] for detail in response.body["error"]["details"]]) in (
        (400, [field]),
        (400, [""]),
    ), response.body


@given(
    value=st.one_of(
        st.sampled_from(HOSTILE),
        st.from_regex(r"\A-?[0-9]{1,30}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,8})?\Z"),
        st.text(max_size=20),
    )
)
@example(value="1e999999")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_number_in_a_cursor_is_one_that_postgresql_accepts(postgres, value):
    """No list is ordered by a numeric column yet; one that will be must not fail on a hostile cursor."""
    columns = {"cost": Column("n.cost", "numeric"), "id": Column("n.id", "bigint")}
    source = "(SELECT 1.5::numeric AS cost, 1::bigint AS id) n"
    costs = List("costs", source, "true", "json_build_object('id', n.id)", columns, "cost,id")
    request = PageRequest(20, None, encoded(["costs", "cost,id", [value, "0"], 1, "eq"]), None)
    with db.reading() as tx:
        try:
            select(tx, costs, request, {})
            fields = ["cursor"]  # answered
        except InvalidRequest as refusal:
            fields = [each["field"] for each in refusal.details]
    assert fields == ["cursor"]
