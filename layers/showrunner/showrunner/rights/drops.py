"""The routes of /cms/reports: upload a file, list reports, read what was refused, confirm a snapshot."""

import uuid

from showrunner import config
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest
from showrunner.rights import sheets
from showrunner.rights.messages import PREFIX, ReportDropped
from showrunner.rights.schemas import NewReport, RejectFilter, Report, ReportFilter, ReportList, ReportUpload
from showrunner.store.rights import content_owners, reports
from showrunner.web import answers, audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/cms/reports"
# A large file takes a while on a slow line.
UPLOAD_SECONDS = 3600


@routes.post(PATH, permission="cms:write", answer=ReportUpload, status=201, idempotent=True)
def upload(request: Request, body: NewReport) -> Answer:
    """Announce a file of reports.

    Returns where to PUT it. It is loaded when it has arrived, and then it is in the list of reports.
    """
    from showrunner.aws import s3

    def work(tx: db.Transaction) -> Answer:
        names = [each["name"] for each in content_owners.list_of(tx, request.organisation_id)]
        name = next((each for each in names if each.casefold() == body.content_owner.casefold()), None)
        if name is None:
            message = (
                f"{body.content_owner} is none of your content owners: {', '.join(names) or 'there is none'}"
            )
            raise InvalidRequest(f"{message}.", [{"field": "content_owner", "message": message}])
        file = f"uploads/{uuid.uuid4()}/{body.filename}"
        key = f"{PREFIX}{name}/{file}"
        audit.record(tx, request, "upload", "report", key, bytes=body.bytes)
        # Signing needs no call to AWS, so the transaction isn't kept open for one.
        url, headers = s3.presigned_put(
            key, "application/octet-stream", body.bytes, body.sha256, UPLOAD_SECONDS
        )
        return Answer(
            {"file": file, "method": "PUT", "url": url, "headers": headers, "expires_in": UPLOAD_SECONDS}, 201
        )

    return idempotency.once(request, work)


@routes.get(PATH, permission="cms:read", answer=ReportList)
def list_reports(request: Request, query: ReportFilter) -> Answer:
    """List the reports of the organisation's content owners, newest first."""
    filters = query.model_dump(include={"kind", "status", "content_owner"})
    filters["month"] = f"{query.month}-01" if query.month else None
    with db.reading() as tx:
        return answers.listed("reports", reports.list_(tx, request.organisation_id, filters, query.request()))


@routes.get(f"{PATH}/{{report_id}}", permission="cms:read", answer=Report)
def show(request: Request, report_id: str) -> Answer:
    """Show a report: what it is, and what became of its rows."""
    with db.reading() as tx:
        return Answer(reports.get(tx, request.organisation_id, report_id))


@routes.get(f"{PATH}/{{report_id}}/rejects", permission="cms:read", content_type=sheets.CONTENT_TYPE)
def list_rejects(request: Request, report_id: str, query: RejectFilter) -> Answer:
    """Download the refused rows as CSV, with YouTube's columns `Row number` and `Status`.

    The header `Link` has the address of the next part, if there is one.
    """
    with db.reading() as tx:
        reports.get(tx, request.organisation_id, report_id)
        found = reports.list_rejects(tx, report_id, query.after, query.limit)
    text = sheets.write(
        ["Row number", "Status", "Line", "Column", "Value", "Reason"],
        (
            [row["row_number"], "Errors", *(row[name] for name in ("line", "column_name", "value", "reason"))]
            for row in found
        ),
    )
    headers = {"content-disposition": f'attachment; filename="rejects-{report_id}.csv"'}
    if len(found) == query.limit:
        following = f"{PATH}/{report_id}/rejects?after={found[-1]['row_number']}&limit={query.limit}"
        headers["link"] = f'<{following}>; rel="next"'
    return Answer(text, headers=headers, content_type=sheets.CONTENT_TYPE)


@routes.post(
    f"{PATH}/{{report_id}}/confirm", permission="cms:write", answer=Report, status=202, errors=(409,)
)
def confirm(request: Request, report_id: str) -> Answer:
    """Confirm a report that waits. It is loaded then.

    A snapshot waits if it has less than half of the rows before, money if it has none and there were some.
    """
    from showrunner.aws import queues

    with db.transaction() as tx:
        drop = reports.confirm(tx, request.organisation_id, report_id, request.caller.subject)
        if drop is None:
            raise Conflict("The report doesn't wait for a confirmation: read its status.")
        audit.record(tx, request, "confirm", "report", report_id.lower())
        found = reports.get(tx, request.organisation_id, report_id)
        # Before the commit: a message without the confirmation changes nothing, a lost one would.
        message = ReportDropped(drop["object_key"], drop["version"], drop["bytes"], drop["dropped_at"])
        queues.send(config.setting("REPORTS_QUEUE_URL"), message)
    return Answer(found, 202)
