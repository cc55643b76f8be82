"""Show whether everything works: health, metrics, platform quotas, public keys."""

from datetime import UTC, datetime
from typing import Any

from showrunner import breakers, quotas, rates
from showrunner.access import roles
from showrunner.admin import probes
from showrunner.admin.schemas import JwkSet, PlatformQuotaList, SystemHealth
from showrunner.aws import ssm
from showrunner.database import db
from showrunner.store import figures
from showrunner.store.accounts import google_projects
from showrunner.web import docs
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import timestamp
from showrunner.web.routing import Request

routes = Routes()

# The bucket that is divided between uses and organisations.
SHARED = (quotas.STAGE.name, "general")
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@routes.get("/.well-known/jwks.json", permission=roles.PUBLIC, unlimited=True, answer=JwkSet, max_age=300)
def jwks(request: Request) -> Answer:
    """Return the public keys that verify our tokens."""
    return Answer(ssm.secret("auth/jwks"))


HEALTH = {
    "permission": "internal:read",
    "answer": SystemHealth,
    "open_in_maintenance": True,
    "outlives_database": True,
}


@routes.get("/api/v1/admin/system/health", **HEALTH)
@routes.get("/api/v1/admin/health", **HEALTH)
def system_health(request: Request) -> dict[str, Any]:
    """Report the parts that the API depends on.

    `down`: the database fails. `degraded`: another part fails, or a person must act; `reasons` says what.
    """
    results, found = probes.run_all()
    queues, states = found["queues"] or {}, found["breakers"] or {}
    reasons = [f"{name}: {probe['reason']}" for name, probe in results.items() if probe["reason"]]
    reasons += [
        f"{name}: {depth['waiting']} messages failed for good; fix the cause and send them again"
        for name, depth in queues.items()
        if depth["waiting"] > 0 and name.endswith(("-dead", "undelivered-events"))
    ]
    reasons += [
        f"{name}: {breakers.FAILURES} calls in a row failed; it is not called for {breakers.PAUSE_SECONDS} s"
        for name, state in states.items()
        if state == "open"
    ]
    status = "down" if results["database"]["reason"] else "degraded" if reasons else "ok"
    return {
        "status": status,
        "reasons": reasons,
        "probes": results,
        "queues": queues,
        "breakers": states,
        "timestamp": docs.now(),
    }


METRICS = {"permission": "internal:read", "content_type": PROMETHEUS, "open_in_maintenance": True}


@routes.get("/api/v1/admin/system/metrics", **METRICS)
@routes.get("/api/v1/admin/metrics", **METRICS)
def system_metrics(request: Request) -> Answer:
    """Return figures in Prometheus' text format.

    Parts that don't answer are missing, and their `showrunner_up` is 0.
    """
    with db.reading() as tx:
        families = figures.list_(tx)
    lines = []
    for name, (description, samples) in (families | _figures_of_parts()).items():
        lines += [f"# HELP {name} {description}", f"# TYPE {name} gauge"]
        lines += [
            f"{name}{{{_labels(labels)}}} {value}" if labels else f"{name} {value}"
            for labels, value in samples
        ]
    return Answer("\n".join(lines) + "\n", content_type=PROMETHEUS)


def _figures_of_parts() -> figures.Figures:
    results, found = probes.run_all()
    queues, states = found["queues"] or {}, found["breakers"] or {}
    up = [({"part": name}, int(probe["status"] == "ok")) for name, probe in results.items()]
    messages = [
        ({"queue": name, "state": state}, depth[state])
        for name, depth in queues.items()
        for state in ("waiting", "in_flight")
    ]
    open_ = [({"platform": name}, int(state == "open")) for name, state in states.items()]
    return {
        "showrunner_up": ("1 for each part that answers.", up),
        "showrunner_queue_messages": ("Messages in the queues.", messages),
        "showrunner_breaker_open": ("1 while a platform is not called because it failed.", open_),
    }


def _labels(labels: dict[str, str]) -> str:
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
    return ",".join(f'{name}="{value.translate(escapes)}"' for name, value in labels.items())


def _shares(project: str, at: datetime) -> list[dict[str, Any]]:
    used = quotas.spent_by_share(project, at)
    return [{"share": share, "used": used[share], "limit": limit} for share, limit in quotas.SHARES.items()]


def _publications(project: str, at: datetime) -> list[dict[str, Any]]:
    used = quotas.units_by_organisation(project, at)
    return [{"organisation_id": organisation, "used": units} for organisation, units in used.items()]


@routes.get(
    "/api/v1/admin/quotas", permission="admin:all", answer=PlatformQuotaList, open_in_maintenance=True
)
def list_quotas(request: Request) -> dict[str, Any]:
    """Show what was used today of each platform's daily quota, and how many calls it allows at once now."""
    at = datetime.now(UTC)
    with db.reading() as tx:
        brought = google_projects.list_(tx)
    own = [
        quotas.own_project(each["organisation_id"], each["units_a_day"], each["inserts_a_day"])
        for each in brought
    ]
    buckets = quotas.limits() | {
        (project.name, bucket): limit
        for project in own
        for bucket, limit in (("general", project.units), ("insert", project.inserts))
    }
    return {
        "quotas": [
            {
                "project": project,
                "bucket": bucket,
                "day": quotas.quota_day(project, at),
                "used": quotas.spent(project, bucket, at),
                "limit": limit,
                "resets_at": timestamp(quotas.quota_ends_at(project, at)),
                "shares": _shares(project, at) if (project, bucket) == SHARED else [],
                "publications": _publications(project, at) if (project, bucket) == SHARED else [],
            }
            for (project, bucket), limit in buckets.items()
        ],
        "rates": [
            {
                "platform": platform,
                "calls": rate.calls,
                "seconds": rate.seconds,
                "available": rates.available(platform, rate, at),
            }
            for platform, rate in rates.RATES.items()
        ],
    }
