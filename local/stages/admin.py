"""`make admin STAGE=dev EMAIL=you@label.com`: make the first platform admin, through the migrate function.

The admin gets an organisation and a key of the Ingestion API.
"""

from local.settings import Refused
from local.stages.stage import Stage

TIMEOUT_S = 120
# Where `make smoke` looks up whose organisation it may use.
ORGANISATION = "operator/organisation"


def make_admin(stage: Stage, email: str, organisation: str | None) -> None:
    """Print what the person needs next. What is shown once is written nowhere."""
    if "@" not in email:
        raise Refused(
            f"EMAIL={email} is no e-mail address (make admin STAGE={stage.name} EMAIL=you@label.com "
            "ORGANISATION='My label')"
        )
    event = {
        "command": "admin",
        "email": email,
        "organisation": organisation or "",
        "by": stage.caller()["arn"],
    }
    answer = stage.invoke_migrate(event, TIMEOUT_S)
    stage.put_secret(ORGANISATION, answer["organisation_id"], overwrite=True)
    address = stage.deployed(stage.application_stack).get("PlatformUrl", "")
    print(
        f"{email} is a platform admin of stage {stage.name}; organisation {answer['organisation_id']}.",
        flush=True,
    )
    if answer["password_token"]:
        print(
            f"Set the password within an hour:\n    curl -X POST {address}/api/v1/auth/password/reset -H "
            "'content-type: application/json' "
            f"""-d '{{"token": "{answer["password_token"]}", "password": "<new>"}}'""",
            flush=True,
        )
    if answer["ingestion_key"]:
        print(f"Key of the Ingestion API, shown only now: {answer['ingestion_key']}", flush=True)
