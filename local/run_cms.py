"""`make run-cms`: drop a month of synthetic reports into the local stack, and show what became of them.

A small content owner's files are generated, put into the owner's folder of the bucket as its staff would, and
loaded by the stack. Printed: each file with its rows accepted and refused, and whether the money adds up.
"""

import tempfile
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.table import Table

from local import access, deploy, partner_data, stack
from local.deploy import answered
from local.partner_data import Owner, Written
from local.settings import DATA_STACK, HOME, Refused, address

OWNER = "Synthetic_Records"
# The files take seconds; on a busy machine the first call of a function alone may take twenty.
MOST_S, ASK_EVERY_S = 300, 2.0
# A file that was loaded by an earlier run is recorded and changes nothing.
GOOD = ("loaded", "duplicate")
_COUNTED, _COMPARED = ("rows", "accepted", "rejected"), ("new", "changed", "removed")
console = Console(highlight=False)


def run(rows: int, seed: int) -> None:
    """Generate, drop, wait, show. Raises Refused if a file isn't loaded or the month doesn't add up."""
    ensure_owner()
    today = datetime.now(ZoneInfo("America/Los_Angeles")).date()
    month = (today.replace(day=1) - timedelta(1)).replace(day=1)
    with tempfile.TemporaryDirectory() as folder, client() as api:
        written = generate(Path(folder), month, today, rows, seed)
        folder_of_run = drop(written)
        reports = wait(api, {f"{folder_of_run}/{each.path.name}" for each in written})
        compared = answered(api.get("/api/v1/cms/money", params={"month": f"{month:%Y-%m}"}))
        (money,) = (each for each in compared["content_owners"] if each["content_owner"] == OWNER)
        show(written, reports)
        show_money(f"{month:%Y-%m}", money)
    console.print(partner_data.NOTE, style="yellow", soft_wrap=True)
    refuse_faults(written, reports, money)


def ensure_owner() -> None:
    """Make the demo organisation a content owner; through the API only a platform admin can."""
    with deploy.owner_connection() as connection:
        connection.run(
            "UPDATE accounts.organisations SET content_owner = true WHERE id = :id", id=deploy.ORGANISATION
        )
        connection.run(
            "INSERT INTO rights.content_owners (organisation_id, name) VALUES (:id, :name)"
            " ON CONFLICT (lower(name)) DO NOTHING",
            id=deploy.ORGANISATION,
            name=OWNER,
        )


def client() -> httpx.Client:
    """Return a client of the Platform API that may use /cms."""
    token = access.service_token(
        access.signing_key(HOME),
        issuer=address("PLATFORM_PORT"),
        name="launcher",
        organisation_id=deploy.ORGANISATION,
        scopes=["cms:all"],
    )
    return httpx.Client(
        base_url=address("PLATFORM_PORT"),
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    )


def generate(folder: Path, month: date, day: date, rows: int, seed: int) -> list[Written]:
    owner = Owner(OWNER, rows, seed)
    written = partner_data.write_month(owner, folder / "money", month, rows)
    return written + partner_data.write_snapshots(owner, folder / "rights", day)


def drop(written: list[Written]) -> str:
    """Put the files into a folder of their own below the owner's. Returns the folder's name."""
    bucket, s3 = deploy.outputs(DATA_STACK)["MediaBucket"], deploy.aws("s3")
    folder = f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    for each in written:
        s3.upload_file(str(each.path), bucket, f"drops/{OWNER}/{folder}/{each.path.name}")
    console.print(f"Dropped {len(written)} files into s3://{bucket}/drops/{OWNER}/{folder}/")
    return folder


def wait(api: httpx.Client, files: set[str]) -> dict[str, dict[str, Any]]:
    """Return the records of the files by their names, when all of them have ended."""
    until = time.monotonic() + MOST_S
    while True:
        listed = answered(api.get("/api/v1/cms/reports", params={"limit": 100, "content_owner": OWNER}))
        found = {each["file"]: each for each in listed["reports"] if each["file"] in files}
        if len(found) == len(files) and all(each["finished_at"] for each in found.values()):
            return {name.rsplit("/", 1)[1]: each for name, each in found.items()}
        if time.monotonic() > until:
            waiting = sorted(name for name in files if not found.get(name, {}).get("finished_at"))
            raise Refused(
                f"{len(waiting)} files were not loaded within {MOST_S} s, among them {waiting[0]}; "
                f"{stack.ended() or f'logs: {stack.logs()}'}",
                code=1,
            )
        time.sleep(ASK_EVERY_S)


def show(written: list[Written], reports: dict[str, dict[str, Any]]) -> None:
    # It fits into the 80 columns of a log.
    table = Table(box=None, padding=(0, 1))
    table.add_column("report", no_wrap=True)
    for name in ("rows", "accepted", "rejected", "new/changed/removed"):
        table.add_column(name, justify="right")
    table.add_column("status", no_wrap=True)
    for each in written:
        report = reports[each.path.name]
        counted = ("" if report[name] is None else f"{report[name]:,}" for name in _COUNTED)
        compared = "" if report["new"] is None else " / ".join(f"{report[name]:,}" for name in _COMPARED)
        table.add_row(report["kind"] or each.path.name, *counted, compared, report["status"])
    console.print(table)


def show_money(month: str, money: dict[str, Any]) -> None:
    table = Table(
        title=f"Money of {month}: {money['status']}", title_justify="left", box=None, padding=(0, 2)
    )
    table.add_column("payment summary")
    for name in ("paid, USD", "reported, USD", "difference"):
        table.add_column(name, justify="right")
    table.add_column("status")
    for line in money["lines"]:
        amounts = (line[name] or "" for name in ("paid_usd", "reported_usd", "difference_usd"))
        named = line["revenue_type"]
        table.add_row(named, *amounts, line["status"])
        for kinds in line["missing"]:
            table.add_row(f"  missing: {' or '.join(kinds)}")
    total = (money[name] or "" for name in ("paid_usd", "reported_usd", "difference_usd"))
    table.add_row("total", *total, money["status"], style="bold")
    console.print(table)


def refuse_faults(written: list[Written], reports: dict[str, dict[str, Any]], money: dict[str, Any]) -> None:
    """Raise Refused if rows are not where the generator says, or the money doesn't add up."""
    for each in written:
        report = reports[each.path.name]
        if report["status"] not in GOOD:
            raise Refused(f"{each.path.name} is {report['status']}: {report['reason']}", code=1)
        counted = report["rows"], report["rejected"]
        if report["status"] == "loaded" and counted != (each.rows, each.rejected):
            raise Refused(
                f"{each.path.name} has {each.rows} rows, {each.rejected} of them broken, and the stack has "
                f"counted {counted}",
                code=1,
            )
    if money["status"] != "reconciled":
        raise Refused(f"the money of the month doesn't add up: {money['status']}", code=1)
