"""The admin function: health, quotas, metrics, impersonation, maintenance, voices and the audit log."""

import ast
import hashlib
import json
import re
import time
import uuid
from datetime import UTC, datetime

import pytest
from openapi_spec_validator import validate

from showrunner import breakers, quotas
from showrunner.access import roles, tokens
from showrunner.admin import probes
from showrunner.aws import sdk, ssm
from showrunner.database import db
from tests import documents
from tests.conftest import Client, put_secrets, service_client
from tests.contract import code, template

ANYONE = Client()
PASSWORD = "Correct-horse-7-battery"


def test_health_needs_neither_token_nor_database():
    response = ANYONE("GET", "/health")

    assert response.status == 200
    assert response.body["status"] == "ok"
    assert set(response.body) == {"status", "version", "timestamp"}


def test_the_openapi_document_is_valid_and_served(served_documents):
    response = ANYONE("GET", "/openapi.json")

    validate(response.body)
    assert response.body == documents.platform()
    assert response.body["openapi"] == "3.1.0"
    assert response.headers["etag"]


def test_every_route_has_a_permission_that_some_role_or_scope_grants():
    grantable = set().union(*roles.ROLES.values(), roles.OWNER, roles.CONTENT_OWNER, roles.SCOPES) - {"*"}
    for path, operations in documents.platform()["paths"].items():
        for method, operation in operations.items():
            permission = operation["x-permission"]
            assert (
                permission == roles.PUBLIC
                or roles.allows(frozenset(grantable), permission)
                or permission.startswith("admin:")
            ), (method, path)
            assert operation["summary"], (method, path)


def test_the_documentation_page_needs_only_what_its_content_policy_allows(served_documents):
    page = ANYONE("GET", "/docs")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.body)

    assert page.headers["content-security-policy"] == "default-src 'self'"
    assert page.headers["content-type"].startswith("text/html")
    assert len(addresses) == 3
    for address in addresses:
        file = ANYONE("GET", address)
        kind = "text/css" if address.endswith(".css") else "text/javascript"
        assert (file.status, file.headers["content-type"].partition(";")[0]) == (200, kind)
    assert re.findall(r"<script[^>]*>[^<]", page.body) == []
    assert "style=" not in page.body
    assert "<style" not in page.body


def test_only_the_files_of_the_documentation_page_are_served():
    for file in ("style.css", "..", "swagger-ui-bundle.js.map", "__init__.py"):
        assert ANYONE("GET", f"/docs/{file}").status == 404


def test_the_served_keys_are_public(signing_key):
    response = ANYONE("GET", "/.well-known/jwks.json")

    assert response.body == json.loads(ssm.secret("auth/jwks"))
    assert not {"d", "p", "q"} & set(response.body["keys"][0])


# What only platform admins do


@pytest.fixture
def person(tx, signing_key, aws):
    """Return a function that registers a person and returns their client, as a platform admin if asked."""

    def make(*, admin=False, address="198.51.100.1"):
        email = f"{uuid.uuid4().hex[:12]}@example.com"
        response = Client(address=f"203.0.113.{len(made)}")(
            "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada"}
        )
        made.append(email)
        db.run(
            tx,
            "UPDATE accounts.users SET platform_admin = :admin WHERE email = :email",
            admin=admin,
            email=email,
        )
        pair = Client(address=address)(
            "POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD}
        ).body
        client = Client(pair["access_token"], pair["user"]["organisation_id"])
        client.email, client.user_id = email, response.body["user_id"]
        client.refresh_token = pair["refresh_token"]
        return client

    made = []
    return make


@pytest.fixture
def queues(aws, monkeypatch):
    """Create a stage's queues as template.yaml names them."""
    sqs = sdk.client("sqs")
    urls = {
        name: sqs.create_queue(QueueName=f"showrunner-test-{name}")["QueueUrl"]
        for name in ("notifications", "notifications-dead")
    }
    monkeypatch.setenv("QUEUE_URLS", ",".join(urls.values()))
    yield urls
    for url in urls.values():
        sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/admin/users",
        "/api/v1/admin/audit",
        "/api/v1/admin/health",
        "/api/v1/admin/metrics",
        "/api/v1/admin/quotas",
    ],
)
def test_admin_pages_are_for_admins(person, queues, path):
    assert person()("GET", path).status == 403
    assert person(admin=True)("GET", path).status == 200


def test_health_reports_that_all_parts_work(client, queues):
    response = client("GET", "/api/v1/admin/health").body

    assert (response["status"], response["reasons"]) == ("ok", [])
    assert set(response["probes"]) == {"database", "object_store", "state_table", "queues", "breakers"}
    assert response["queues"] == {name: {"waiting": 0, "in_flight": 0} for name in queues}
    assert response["breakers"]["youtube"] == "closed"


@pytest.mark.parametrize(
    ("setting", "value", "part"),
    [
        ("MEDIA_BUCKET", "not-there", "object_store"),
        ("STATE_TABLE", "not-there", "state_table"),
        ("QUEUE_URLS", "http://127.0.0.1:9/1/not-there", "queues"),
    ],
)
def test_a_failing_part_degrades_health_and_is_named(client, queues, monkeypatch, setting, value, part):
    monkeypatch.setenv(setting, value)

    response = client("GET", "/api/v1/admin/system/health").body

    assert (
        response["status"],
        response["probes"][part]["status"],
        response["probes"]["database"]["status"],
    ) == ("degraded", "failed", "ok")
    assert any(reason.startswith(f"{part}: ") for reason in response["reasons"])


def test_health_is_down_when_the_database_refuses_the_functions(client, queues, postgres):
    put_secrets({"database/password": "another-one"})
    try:
        response = client("GET", "/api/v1/admin/health").body
    finally:
        put_secrets(postgres.secrets)

    assert (response["status"], response["probes"]["database"]["reason"]) == ("down", "DatabaseError")


def test_health_reports_messages_in_dead_letter_queues(client, queues):
    sdk.client("sqs").send_message(QueueUrl=queues["notifications"], MessageBody="{}")
    assert client("GET", "/api/v1/admin/health").body["status"] == "ok", "waiting messages are not a failure"
    sdk.client("sqs").send_message(QueueUrl=queues["notifications-dead"], MessageBody="{}")

    response = client("GET", "/api/v1/admin/health").body

    assert (response["status"], response["queues"]["notifications-dead"]["waiting"]) == ("degraded", 1)
    assert response["reasons"] == [
        "notifications-dead: 1 messages failed for good; fix the cause and send them again"
    ]


def test_health_reports_an_open_breaker(client, queues):
    for _ in range(breakers.FAILURES):
        breakers.record("youtube", answered=False)
    try:
        response = client("GET", "/api/v1/admin/health").body
    finally:
        breakers.record("youtube", answered=True)

    assert (response["status"], response["breakers"]["youtube"]) == ("degraded", "open")


def test_health_answers_without_the_database_and_is_down(postgres, signing_key, queues, monkeypatch):
    """Rate limits and revoked tokens cannot be checked then: the token's signature and scopes decide."""
    db.close()
    monkeypatch.setenv("DATABASE_PORT", "1")
    response = service_client(signing_key, str(uuid.uuid4()))("GET", "/api/v1/admin/health")

    assert (response.status, response.body["status"], response.body["probes"]["database"]["reason"]) == (
        200,
        "down",
        "DatabaseUnavailable",
    )
    assert (
        service_client(signing_key, str(uuid.uuid4()), "videos:read")("GET", "/api/v1/admin/health").status
        == 403
    )
    assert ANYONE("GET", "/api/v1/admin/health").status == 401
    assert service_client(signing_key, str(uuid.uuid4()))("GET", "/api/v1/admin/metrics").status == 503


def test_a_hanging_probe_is_abandoned_without_delaying_the_others(client, queues, monkeypatch):
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.3)
    for name in ("object_store", "breakers"):
        monkeypatch.setitem(probes.PROBES, name, lambda: time.sleep(1))

    begun = time.perf_counter()
    response = client("GET", "/api/v1/admin/health").body

    assert time.perf_counter() - begun < 0.9
    assert response["probes"]["object_store"]["reason"] == "no answer within 0.3 s"
    assert [
        response["probes"][name]["status"] for name in ("database", "object_store", "state_table", "breakers")
    ] == ["ok", "failed", "ok", "failed"]


def test_health_covers_every_queue_and_every_breaker():
    """Add a new one to QUEUE_URLS and the policy of AdminFunction, or to breakers.PLATFORMS."""
    application = template.load(template.APPLICATION)
    function = template.functions(application)["admin"]
    (allowed,) = [
        statement for statement in function.statements if statement["Action"] == "sqs:GetQueueAttributes"
    ]
    named = {
        code._literal(call)
        for path in [*code.layer_files(), *code.function_files()]
        for call in code.calls(code.tree(path), "breakers", ("check", "guard"))
        if call.args and isinstance(call.args[0], ast.Constant)
    }

    queues = set(template.resources(application, "AWS::SQS::Queue"))
    assert (
        template.references(function.variables["QUEUE_URLS"])
        == template.references(allowed["Resource"])
        == queues
    )
    assert named == set(breakers.PLATFORMS)


def test_quotas_report_todays_units(person):
    admin = person(admin=True)
    before = admin("GET", "/api/v1/admin/quotas").body["quotas"]
    quotas.spend("youtube", "general", 7, 10_000)

    response = admin("GET", "/api/v1/admin/quotas").body["quotas"]

    limits = {(each["project"], each["bucket"]): each["limit"] for each in response}
    assert limits == quotas.limits()
    assert (limits["youtube", "general"], limits["youtube", "insert"]) == (10_000, 100)
    assert response[0]["used"] == before[0]["used"] + 7
    assert response[0]["resets_at"] > datetime.now(UTC).isoformat()


def test_the_prometheus_parser_reads_the_metrics(client, queues):
    from prometheus_client.parser import text_string_to_metric_families

    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    client("POST", "/api/v1/videos/generate", {"channel_id": channel, "topic": "Bees"})

    sdk.client("sqs").send_message(QueueUrl=queues["notifications"], MessageBody="{}")

    response = client("GET", "/api/v1/admin/metrics")

    families = {family.name: family for family in text_string_to_metric_families(response.body)}
    queued = [
        sample.value
        for sample in families["showrunner_videos"].samples
        if sample.labels == {"status": "queued"}
    ]
    assert queued[0] >= 1
    figures = {
        name: {tuple(sorted(sample.labels.items())): sample.value for sample in family.samples}
        for name, family in families.items()
    }
    assert figures["showrunner_queue_messages"][("queue", "notifications"), ("state", "waiting")] == 1
    assert figures["showrunner_breaker_open"][(("platform", "youtube"),)] == 0
    assert set(figures["showrunner_up"].values()) == {1}
    assert all(family.documentation and family.type == "gauge" for family in families.values())
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_users_are_listed_and_found_by_email(person):
    somebody, admin = person(), person(admin=True)

    response = admin("GET", f"/api/v1/admin/users?email={somebody.email[:12]}")

    assert [each["email"] for each in response.body["users"]] == [somebody.email]
    assert len(admin("GET", "/api/v1/admin/users?limit=1").body["users"]) == 1


def test_impersonation_is_audited_under_both_names(person):
    somebody, admin = person(), person(admin=True)

    response = admin("POST", f"/api/v1/admin/users/{somebody.user_id}/impersonate")

    assert (response.status, response.body["expires_in"]) == (200, 1800)
    acting = Client(response.body["access_token"])
    assert acting("POST", "/api/v1/channels", {"name": "Theirs", "niche": "Insects"}).status == 201
    rows = admin("GET", f"/api/v1/admin/audit?actor={admin.user_id}").body["events"]
    assert {(row["action"], row["subject"], row["actor"]) for row in rows} == {
        ("add", somebody.user_id, admin.user_id),
        ("post", somebody.user_id, admin.user_id),
    }
    assert (
        admin("GET", f"/api/v1/admin/audit?subject={admin.user_id}&action=impersonate").body["events"][0][
            "thing_id"
        ]
        == somebody.user_id
    )


def test_reads_during_impersonation_are_audited_and_exports_refused(person):
    somebody, admin = person(), person(admin=True)
    acting = Client(admin("POST", f"/api/v1/admin/users/{somebody.user_id}/impersonate").body["access_token"])

    assert acting("GET", "/api/v1/videos").status == 200
    assert acting("GET", "/api/v1/users/me/export").status == 403

    rows = admin("GET", f"/api/v1/admin/audit?actor={admin.user_id}").body["events"]
    assert [(row["action"], row["thing_id"], row["subject"], row["outcome"]) for row in rows] == [
        ("get", "GET /api/v1/users/me/export", somebody.user_id, "denied"),
        ("get", "/api/v1/users/me/export", somebody.user_id, "success"),
        ("get", "/api/v1/videos", somebody.user_id, "success"),
    ]
    assert somebody("GET", "/api/v1/users/me/export").status == 200


def test_impersonation_ends_with_the_admins_session_or_role(tx, person):
    somebody, admin = person(), person(admin=True)
    acting = [
        Client(admin("POST", f"/api/v1/admin/users/{somebody.user_id}/impersonate").body["access_token"])
        for _ in range(2)
    ]
    assert acting[0]("POST", "/api/v1/auth/logout").status == 204
    assert [each("GET", "/api/v1/videos").status for each in (*acting, somebody, admin)] == [
        401,
        200,
        200,
        200,
    ], "it ends the impersonation only"

    db.run(tx, "UPDATE accounts.users SET platform_admin = false WHERE id = :id", id=admin.user_id)
    assert acting[1]("GET", "/api/v1/videos").status == 401
    db.run(tx, "UPDATE accounts.users SET platform_admin = true WHERE id = :id", id=admin.user_id)
    assert acting[1]("GET", "/api/v1/videos").status == 200
    admin("POST", "/api/v1/auth/logout")
    assert acting[1]("GET", "/api/v1/videos").status == 401


def test_impersonation_cannot_change_credentials(person):
    somebody, admin = person(), person(admin=True)
    acting = Client(admin("POST", f"/api/v1/admin/users/{somebody.user_id}/impersonate").body["access_token"])

    responses = [
        acting("POST", "/api/v1/auth/mfa", {"password": PASSWORD}),
        acting("DELETE", "/api/v1/auth/mfa", {"password": PASSWORD}),
        acting(
            "PUT", "/api/v1/users/me", {"password": "Another-staple-9-horse", "current_password": PASSWORD}
        ),
        acting("DELETE", "/api/v1/users/me", {"password": PASSWORD}),
        acting("POST", "/api/v1/auth/api-keys", {"name": "x", "scopes": ["ingestion"]}),
        acting("POST", "/api/v1/auth/service-tokens", {"name": "x", "scopes": ["videos:read"]}),
    ]

    assert {each.status for each in responses} == {403}


def test_an_admin_cannot_be_impersonated(person):
    admin, other = person(admin=True), person(admin=True)

    assert admin("POST", f"/api/v1/admin/users/{other.user_id}/impersonate").status == 409
    assert admin("POST", f"/api/v1/admin/users/{uuid.uuid4()}/impersonate").status == 404
    assert person()("POST", f"/api/v1/admin/users/{other.user_id}/impersonate").status == 403


def test_maintenance_takes_effect_at_the_next_request(person):
    somebody, admin = person(), person(admin=True)

    assert (
        admin(
            "POST", "/api/v1/admin/maintenance", {"enabled": True, "message": "Moving.", "estimated_time": 30}
        ).body["enabled"]
        is True
    )

    response = somebody("GET", "/api/v1/videos")
    assert (response.status, response.body["error"]["code"], response.headers["retry-after"]) == (
        503,
        "MAINTENANCE_MODE",
        "1800",
    )
    assert admin("GET", "/api/v1/admin/users").status == 200
    logins = [
        ANYONE("POST", "/api/v1/auth/login", {"email": each.email, "password": PASSWORD})
        for each in (somebody, admin)
    ]
    assert [each.status for each in logins] == [503, 200]
    tokens = [each.refresh_token for each in (somebody, admin)]
    renewed = [ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": token}) for token in tokens]
    assert [each.status for each in renewed] == [503, 200]
    assert ANYONE("GET", "/health").status == 200
    admin("POST", "/api/v1/admin/maintenance", {"enabled": False})
    assert somebody("GET", "/api/v1/videos").status == 200
    again = ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": somebody.refresh_token})
    assert again.status == 200, "the refused attempt hasn't used the token up"


def test_a_content_owners_members_get_its_permissions_at_their_next_login(person):
    somebody, admin = person(), person(admin=True)

    response = admin("POST", f"/api/v1/admin/organisations/{somebody.organisation_id}/content-owner", {})

    assert response.body["organisation"]["content_owner"] is True
    pair = ANYONE("POST", "/api/v1/auth/login", {"email": somebody.email, "password": PASSWORD}).body
    assert roles.allows(tokens.verify(pair["access_token"]).permissions, "cms:write")


def test_admins_assign_cloned_voices_to_one_organisation_each(person):
    somebody, other, admin = person(), person(), person(admin=True)
    path = "/api/v1/admin/organisations/{}/voices"

    response = admin(
        "PUT", path.format(somebody.organisation_id), {"voice_ids": ["Voice0000000001", "Voice0000000002"]}
    )

    assert response.body["organisation"]["voices"] == ["Voice0000000001", "Voice0000000002"]
    assert somebody("GET", f"/api/v1/organisations/{somebody.organisation_id}").body["organisation"][
        "voices"
    ] == ["Voice0000000001", "Voice0000000002"]
    assert admin("PUT", path.format(other.organisation_id), {"voice_ids": ["Voice0000000002"]}).status == 409
    assert admin("PUT", path.format(somebody.organisation_id), {"voice_ids": ["Voice0000000001"]}).body[
        "organisation"
    ]["voices"] == ["Voice0000000001"]
    assert admin("PUT", path.format(other.organisation_id), {"voice_ids": ["Voice0000000002"]}).status == 200
    assert admin("PUT", path.format(uuid.uuid4()), {"voice_ids": []}).status == 404
    assert somebody("PUT", path.format(somebody.organisation_id), {"voice_ids": []}).status == 403


def test_the_audit_log_stores_long_values_as_length_and_hash(person):
    somebody, admin = person(), person(admin=True)
    channel = somebody(
        "POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects", "settings": {"language": "en"}}
    ).body["channel"]["id"]
    topics = [f"Why bees dance, part {number}" for number in range(100)]
    assert somebody("PUT", f"/api/v1/channels/{channel}", {"settings": {"topics": topics}}).status == 200

    change = admin("GET", f"/api/v1/admin/audit?thing=channel&thing_id={channel}&action=change").body[
        "events"
    ][0]["change"]

    assert set(change["before"]) == {"settings.topics"}  # and not the unchanged settings
    digest = hashlib.sha256(json.dumps(topics).encode()).hexdigest()
    assert change["after"]["settings.topics"] == {"characters": len(json.dumps(topics)), "sha256": digest}


def test_every_change_of_a_channel_is_in_the_audit_log(person):
    somebody, admin = person(), person(admin=True)
    channel = somebody("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    somebody("PUT", f"/api/v1/channels/{channel}", {"name": "Wasps"}, x_request_id="rename")
    asked = somebody("DELETE", f"/api/v1/channels/{channel}")
    somebody(
        "DELETE",
        f"/api/v1/channels/{channel}?confirmation_token={asked.body['error']['details'][0]['message']}",
    )

    rows = admin("GET", f"/api/v1/admin/audit?thing=channel&thing_id={channel}").body["events"]

    assert [row["action"] for row in rows] == ["remove", "change", "add"]
    assert rows[1]["change"] == {"before": {"name": "Bees"}, "after": {"name": "Wasps"}}
    assert (rows[1]["request_id"], rows[1]["address"], rows[1]["subject"]) == (
        "rename",
        "192.0.2.0/24",
        somebody.user_id,
    )
