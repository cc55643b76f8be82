"""`make run-cms`: a month of a distributor's work with a synthetic content owner, on the local stack.

People drop the month's files of money into the owner's folder of the bucket. The daily reports of rights come
by themselves: the stand-in for YouTube makes them, and the streams machine fetches them with the stage's
service account. Printed: each report with its rows accepted and refused, whether the money adds up, and one
change of some claims: proposed, approved, sent, undone.
"""

import json
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.table import Table

from local import access, deploy, partner_data, partner_state, stack
from local.deploy import answered
from local.partner_data import Owner, Written
from local.partner_state import PACIFIC, SystemReport
from local.settings import ACCOUNT, DATA_STACK, HOME, REGION, STAGE, Refused, address
from showrunner.access import service_accounts
from showrunner.platforms.youtube_reporting import Report
from showrunner.reports import names
from showrunner.rights import stream_fetching

EMAIL = "showrunner@local.iam.gserviceaccount.com"
# The files take seconds; on a busy machine the first call of a function alone may take twenty.
MOST_S, ASK_EVERY_S = 300, 2.0
# A report that was loaded by an earlier run is recorded and changes nothing.
GOOD = ("loaded", "duplicate")
# YouTube's reports are about days that lie so far back.
DAYS_AGO = (4, 3)
# So many claims are changed, and the change is undone.
CHANGED, COUNTRIES = 5, ["DE", "FR"]
_COUNTED, _COMPARED = ("rows", "accepted", "rejected"), ("new", "changed", "removed")
console = Console(highlight=False)


class Expected(NamedTuple):
    """A report and the file that its record names, below the owner's folder."""

    file: str
    written: Written


def run(rows: int, seed: int) -> None:
    """Generate, drop, fetch, wait, show, change. Raises Refused if a step ends otherwise than it must."""
    require_stand_ins()
    # Each size has an owner of its own: a snapshot that is smaller than the one before waits for a person.
    owner = Owner(f"Synthetic_{rows}_{seed}", rows, seed)
    youtube_id = f"synthetic-{rows}-{seed}"
    ensure_owner(owner.name, youtube_id)
    today = datetime.now(PACIFIC).date()
    month = (today.replace(day=1) - timedelta(1)).replace(day=1)
    folder = HOME / "partner" / owner.name
    with client("maria") as api, client("ken") as second:
        console.print(
            f"[bold]Content owner {owner.name}[/], made up. "
            "The stage's service account acts for it at YouTube."
        )
        dropped = drop(owner.name, partner_data.write_month(owner, folder / "money", month, rows))
        days = [today - timedelta(each) for each in DAYS_AGO]
        reports = partner_state.write_reports(owner, folder / "rights", days, datetime.now(UTC))
        tell_stand_ins(owner, youtube_id, days[-1], reports)
        fetched = fetch(owner.name, reports)
        records = wait(api, owner.name, {each.file for each in (*dropped, *fetched)})
        show("Files that people have dropped", dropped, records)
        show("Reports that YouTube made by itself", fetched, records)
        show_streams(api, owner.name)
        compared = answered(api.get("/api/v1/cms/money", params={"month": f"{month:%Y-%m}"}))
        (money,) = (each for each in compared["content_owners"] if each["content_owner"] == owner.name)
        show_money(f"{month:%Y-%m}", money)
        refuse_faults([*dropped, *fetched], records, money)
        change_and_undo(api, second, owner, days[-1])
    console.print(partner_data.NOTE, style="yellow", soft_wrap=True)


def require_stand_ins() -> None:
    """Raise Refused on a stack that asks YouTube itself: the owner exists at the stand-in only."""
    found = deploy.parameters()
    if any(
        found[name] != address("PLATFORMS_PORT") for name in ("GoogleUrl", "ReportingUrl", "ContentIdUrl")
    ):
        raise Refused(
            "make run-cms needs the stand-ins for Google and YouTube: leave GOOGLE_CLIENT_ID, GOOGLE_URL, "
            "REPORTING_URL and CONTENT_ID_URL out of the environment"
        )


def ensure_owner(name: str, youtube_id: str) -> None:
    """Give the demo organisation a content owner; through the API only a platform admin can."""
    with deploy.owner_connection() as connection:
        connection.run(
            "UPDATE accounts.organisations SET content_owner = true WHERE id = :id", id=deploy.ORGANISATION
        )
        connection.run(
            "INSERT INTO rights.content_owners (organisation_id, name, youtube_id, uses_service_account)"
            " VALUES (:id, :name, :youtube_id, true) ON CONFLICT (lower(name)) DO NOTHING",
            id=deploy.ORGANISATION,
            name=name,
            youtube_id=youtube_id,
        )


def client(name: str) -> httpx.Client:
    """Return a client of the Platform API that may use /cms, under a name of its own."""
    token = access.service_token(
        access.signing_key(HOME),
        issuer=address("PLATFORM_PORT"),
        name=name,
        organisation_id=deploy.ORGANISATION,
        scopes=["cms:all"],
    )
    return httpx.Client(
        base_url=address("PLATFORM_PORT"),
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    )


# ------------------------------------------------------------------------------------------------ Reports


def drop(owner: str, written: list[Written]) -> list[Expected]:
    """Put the files into a folder of their own below the owner's."""
    bucket, s3 = deploy.outputs(DATA_STACK)["MediaBucket"], deploy.aws("s3")
    folder = f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    for each in written:
        s3.upload_file(str(each.path), bucket, f"drops/{owner}/{folder}/{each.path.name}")
    console.print(f"Dropped {len(written)} files into s3://{bucket}/drops/{owner}/{folder}/")
    return [Expected(f"{folder}/{each.path.name}", each) for each in written]


def tell_stand_ins(owner: Owner, youtube_id: str, day: date, reports: list[SystemReport]) -> None:
    """Let the stand-ins know the owner, its reports, and the service account that it has invited."""
    key = access.service_account_key(HOME, EMAIL)
    state = {
        "service_accounts": key.known,
        "rights": partner_state.content_id(owner, youtube_id, key.email, day),
        "reporting": partner_state.reporting(youtube_id, reports),
    }
    httpx.post(
        f"{address('PLATFORMS_PORT')}/_state", content=json.dumps(state, default=str), trust_env=False
    ).raise_for_status()
    deploy.aws("ssm").put_parameter(
        Name=f"/showrunner/{STAGE}/{service_accounts.SECRET}",
        Value=key.text,
        Type="SecureString",
        Overwrite=True,
    )


def fetch(owner: str, reports: list[SystemReport]) -> list[Expected]:
    """Let the streams machine run, as it does every night, and wait for its end."""
    steps = deploy.aws("stepfunctions")
    arn = steps.start_execution(
        stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:showrunner-{STAGE}-streams",
        name=f"run-cms-{uuid.uuid4().hex}",
        input="{}",
    )["executionArn"]
    until = time.monotonic() + MOST_S
    while (status := steps.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        if time.monotonic() > until:
            raise Refused(f"the reports were not fetched within {MOST_S} s; logs: {stack.logs()}", code=1)
        time.sleep(ASK_EVERY_S)
    if status != "SUCCEEDED":
        raise Refused(f"the streams machine ended as {status}; logs: {stack.logs()}", code=1)
    return [
        Expected(
            stream_fetching.object_key(owner, each.report_type, _at_youtube(each)).split("/", 2)[2],
            each.written,
        )
        for each in reports
    ]


def _at_youtube(report: SystemReport) -> Report:
    """Return a report as the Reporting API has it."""
    return Report("", report.job_id, report.start_at, report.end_at, report.created_at, "")


def wait(api: httpx.Client, owner: str, files: set[str]) -> dict[str, dict[str, Any]]:
    """Return the records of the files by their names, when all of them have ended."""
    until = time.monotonic() + MOST_S
    while True:
        listed = answered(api.get("/api/v1/cms/reports", params={"limit": 100, "content_owner": owner}))
        found = {each["file"]: each for each in listed["reports"] if each["file"] in files}
        if len(found) == len(files) and all(each["finished_at"] for each in found.values()):
            return found
        if time.monotonic() > until:
            waiting = sorted(name for name in files if not found.get(name, {}).get("finished_at"))
            raise Refused(
                f"{len(waiting)} files were not loaded within {MOST_S} s, among them {waiting[0]}; "
                f"{stack.ended() or f'logs: {stack.logs()}'}",
                code=1,
            )
        time.sleep(ASK_EVERY_S)


def show(title: str, expected: list[Expected], records: dict[str, dict[str, Any]]) -> None:
    # It fits into the 80 columns of a log.
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0))
    table.add_column("report", no_wrap=True, max_width=24)
    for name in ("rows", "accepted", "rejected", "new/changed/gone"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for each in expected:
        record = records[each.file]
        counted = ("" if record[name] is None else f"{record[name]:,}" for name in _COUNTED)
        compared = "" if record["new"] is None else "/".join(f"{record[name]:,}" for name in _COMPARED)
        # A file that was loaded before has no kind of its own.
        known = names.read(each.written.path.name).kind
        name = record["kind"] or (known.name if known else each.written.path.name[-24:])
        if record["frequency"] == "day":
            name += f" {record['period_start']}"
        table.add_row(name, *counted, compared, record["status"])
    console.print()
    console.print(table)


def show_streams(api: httpx.Client, owner: str) -> None:
    found = answered(api.get("/api/v1/cms/streams"))["streams"]
    mine = [each for each in found if each["content_owner"] == owner]
    states = sorted({each["state"] for each in mine})
    fetched = sum(each["fetched"] for each in mine)
    console.print(
        f"Streams: {len(mine)} types of reports, {fetched} reports fetched, state {', '.join(states)}"
    )


def show_money(month: str, money: dict[str, Any]) -> None:
    table = Table(
        title=f"Money of {month}: {money['status']}",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2),
    )
    table.add_column("payment summary")
    for name in ("paid, USD", "reported, USD", "difference"):
        table.add_column(name, justify="right")
    table.add_column("status")
    for line in money["lines"]:
        amounts = _amounts(line)
        named = line["revenue_type"]
        table.add_row(named, *amounts, line["status"])
        for kinds in line["missing"]:
            table.add_row(f"  missing: {' or '.join(kinds)}")
    table.add_row("total", *_amounts(money), money["status"], style="bold")
    console.print()
    console.print(table)


def _amounts(line: dict[str, Any]) -> list[str]:
    """Return paid, reported and difference of a line.

    YouTube pays cents, and differences are in cents. Reports have up to twelve digits behind the point: those
    that fit into a column are shown.
    """
    found = (("paid_usd", 2), ("reported_usd", 4), ("difference_usd", 2))
    return ["" if line[name] is None else f"{Decimal(line[name]):,.{digits}f}" for name, digits in found]


def refuse_faults(
    expected: list[Expected], records: dict[str, dict[str, Any]], money: dict[str, Any]
) -> None:
    """Raise Refused if rows are not where the generator says, or the money doesn't add up."""
    for each in expected:
        record, written = records[each.file], each.written
        if record["status"] not in GOOD:
            raise Refused(f"{each.file} is {record['status']}: {record['reason']}", code=1)
        counted = record["rows"], record["rejected"]
        if record["status"] == "loaded" and counted != (written.rows, written.rejected):
            raise Refused(
                f"{each.file} has {written.rows} rows, {written.rejected} of them broken, and the stack has "
                f"counted {counted}",
                code=1,
            )
    if money["status"] != "reconciled":
        raise Refused(f"the money of the month doesn't add up: {money['status']}", code=1)


# ------------------------------------------------------------------------------------------------ A change


def change_and_undo(api: httpx.Client, second: httpx.Client, owner: Owner, day: date) -> None:
    """Block some claims in two countries, and undo it. Raises Refused unless all is as it was before."""
    ids = [
        str(row[0])
        for row in partner_data.claim_rows(owner, day)
        if row[partner_data.CLAIMS.index("claim_status")] == "ACTIVE"
    ][:CHANGED]
    rows = [{"claim_id": each, "action": "block", "territories": COUNTRIES} for each in ids]
    body = {"kind": "claim_policy", "name": f"Block in {' and '.join(COUNTRIES)}", "rows": rows}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    proposed = answered(api.post("/api/v1/cms/changes", json=body, headers=headers))["change_set"]
    console.print(f"\n[bold]A change of {len(ids)} claims[/]: {proposed['name']}. Nothing was sent yet.")
    show_rows(api, proposed["id"])
    changed = carry_out(api, second, proposed["id"])
    show_rows(api, proposed["id"])
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    undo = answered(api.post(f"/api/v1/cms/changes/{proposed['id']}/undo", headers=headers))["change_set"]
    console.print("\n[bold]Undo[/]: a change set of its own, which puts back what YouTube had before.")
    undone = carry_out(api, second, undo["id"])
    show_rows(api, undo["id"])
    if [each["after"] for each in undone] != [each["before"] for each in changed]:
        raise Refused("after the undo the claims are not as they were before the change", code=1)
    console.print(f"All {len(ids)} claims have the policy again that they had before the change.\n")


def carry_out(api: httpx.Client, second: httpx.Client, change_set_id: str) -> list[dict[str, Any]]:
    """Have a change set approved by the second person and sent, and return its rows."""
    path = f"/api/v1/cms/changes/{change_set_id}"
    approved = answered(second.post(f"{path}/approve"))["change_set"]
    found = answered(api.post(f"{path}/run"))["change_set"]
    console.print(
        f"Proposed by {approved['created_by']}, approved by {approved['approved_by']}, sent to YouTube."
    )
    until = time.monotonic() + MOST_S
    while found["status"] not in ("done", "stopped") and time.monotonic() < until:
        time.sleep(ASK_EVERY_S)
        found = answered(api.get(path))["change_set"]
    if found["status"] != "done" or found["rows"]["success"] != found["rows"]["total"]:
        raise Refused(
            f"the change set is {found['status']}, with {found['rows']}: "
            f"{found['reason'] or 'read its rows'}; logs: {stack.logs()}",
            code=1,
        )
    listed: list[dict[str, Any]] = answered(api.get(f"{path}/rows"))["rows"]
    return listed


def show_rows(api: httpx.Client, change_set_id: str) -> None:
    table = Table(box=None, padding=(0, 2))
    for name in ("claim", "before", "after", "result"):
        table.add_column(name, no_wrap=name != "result")
    for row in answered(api.get(f"/api/v1/cms/changes/{change_set_id}/rows"))["rows"]:
        before, after = row["before"], row["after"] or row["changes"]
        table.add_row(
            row["claim_id"], policy(before), policy(after), row["message"] or row["status"].replace("_", " ")
        )
    console.print(table)


def policy(state: dict[str, Any]) -> str:
    """Return a policy in a few words. Reports name it by its id only."""
    found = state.get("policy")
    if found is None:
        return f"policy {state.get('policy_id')}"
    words = []
    for rule in found["rules"]:
        where = rule.get("conditions", {}).get("requiredTerritories")
        sign = "in" if where and where["type"] == "include" else "except in"
        words.append(
            f"{rule['action']} {sign} {', '.join(where['territories'])}"
            if where
            else f"{rule['action']} everywhere"
        )
    return "; ".join(words) or f"policy {found['policy_id']}"
