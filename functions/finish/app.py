"""Steps Finish and FailProduction -> the video's final state, its costs and one event.

Also takes the end of executions that no Catch sees: TIMED_OUT and ABORTED.
"""

import json
from typing import Any

from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import costs, files, progress
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.store.studio import productions
from showrunner.telemetry import entrypoint, metrics
from showrunner.videos import (
    announcements,
    budgets,
    executions,
    failure,
    promises,
    publishing,
    receipts,
    rendering,
    shown,
)


def _finished(event: dict[str, Any]) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    report = s3.get_json(files.report_key(job.folder))
    rendering.check(job.folder, report)
    product, stored = _product(job, report)
    seconds = max(0, event["render"]["stopped_at"] - event["render"]["started_at"]) / 1000
    charges = [
        *receipts.list_(job.folder),
        costs.render_charge(job.attempt, event["render"]["platform"], seconds),
        costs.storage_charge(stored),
    ]
    with db.transaction() as tx:
        # Before the check: a render that breaks the promise is paid for, too.
        budgets.settle(tx, job.organisation_id, job.video_id, charges, list_price_only=job.demo)
    promises.require_kept(job, report)
    with db.transaction() as tx:
        product["step_seconds"] = {
            **productions.list_step_seconds(tx, job.video_id, job.attempt),
            "render": round(seconds, 1),
        }
        for note in report.get("notes") or []:
            productions.add_log(tx, job.video_id, job.attempt, "render", note, level="warning")
        productions.complete(tx, job.video_id, job.attempt, product, report["duration_s"], job.demo)
        video = productions.get_step(tx, job.video_id)
        publication = publishing.publish_automatically(tx, job.organisation_id, job.video_id)
    if publication:
        publishing.start(publication)
    # A retry of this step, after a crash between commit and event, announces again; consumers tell repeats by
    # the event's id.
    if video["status"] in ("completed", "review", "publishing") and video["attempt"] == job.attempt:
        announcements.announce("video.completed", video, message="The video is finished.")
        metrics.add_metric("ProductionSeconds", "Seconds", round(sum(product["step_seconds"].values()), 1))
        metrics.add_metric("VideoCostUsd", "Count", float(sum(charge.amount_usd for charge in charges)))
    return {"status": video["status"]}


def _product(job: Job, report: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return what the video's row stores of the finished files, and their total bytes."""
    document = s3.get_json(files.script_key(job.folder))
    outputs = [
        {
            "name": each["name"],
            **_keys(job.folder, each),
            **{name: each[name] for name in ("bytes", "width", "height")},
        }
        for each in report["outputs"]
    ]
    product = {
        "outputs": outputs,
        "script": files.script_key(job.folder),
        "timeline": files.timeline_key(job.folder),
        "report": files.report_key(job.folder),
        "loudness_lufs": report["loudness_lufs"],
        "true_peak_dbtp": report["true_peak_dbtp"],
        "picture": _picture(job, report, len(Script.model_validate(document["script"]).passages)),
        "models": {"language": document["models"] or ["manual"], "voice": job.voice.provider_id},
    }
    return product, sum(each["bytes"] for each in outputs)


def _picture(job: Job, report: dict[str, Any], scenes: int) -> dict[str, Any] | None:
    """Return what the render measured of the picture, and how relevant its works are (0 to 1)."""
    pictures = shown.flat(shown.list_pictures(job.folder, scenes))
    found = [picture["relevance"] for picture in pictures if "relevance" in picture]
    measured: dict[str, Any] | None = report.get("picture")
    if measured is None or not found:
        return measured
    return {**measured, "relevance": round(sum(found) / len(found), 3)}


def _keys(folder: str, output: dict[str, Any]) -> dict[str, str]:
    names = {"video": "file", **{name: name for name in files.BESIDE_A_VIDEO}}
    return {kind: files.output_key(folder, output[name]) for kind, name in names.items() if output.get(name)}


def _explained(event: dict[str, Any]) -> dict[str, str]:
    """Return step, class and message of a failure, read from the machine's Error and Cause."""
    step, code, cause = event["failure"]["step"], event["failure"]["error"], event["failure"]["cause"]
    if code == "VisualsFailed":
        inner = _parsed(cause)
        code, cause = inner.get("Error", code), inner.get("Cause", "")
    if step == "render":
        return _render_explained(event, code, cause)
    return progress.explain(step, code, str(_parsed(cause).get("errorMessage", cause)))


def _render_explained(event: dict[str, Any], code: str, cause: str) -> dict[str, str]:
    """Read the reason that the render left in error.json; without one the host failed."""
    left = s3.find_json(files.error_key(files.video_folder(event["organisation_id"], event["video_id"])))
    if left and code != "States.Timeout":
        return progress.explain("render", left["error"], left["message"])
    return progress.explain(
        "render",
        code,
        str(_parsed(cause).get("StatusReason", "")) or "the render job ended without a reason.",
    )


def _parsed(cause: str) -> dict[str, Any]:
    try:
        found = json.loads(cause)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _failed_at_a_step(event: dict[str, Any]) -> dict[str, Any]:
    """Record a failure that the machine caught.

    A render that ran is paid for even if it failed: Batch names its times in the Cause.
    """
    job = _parsed(event["failure"]["cause"])
    ran = (
        [
            costs.render_charge(
                event["attempt"], event["platform"], (job["StoppedAt"] - job["StartedAt"]) / 1000
            )
        ]
        if "StoppedAt" in job and "StartedAt" in job
        else []
    )
    video = failure.fail(
        event["organisation_id"], event["video_id"], event["attempt"], _explained(event), ran, repeat=True
    )
    return {"status": video["status"]}


def _ended_from_outside(detail: dict[str, Any]) -> dict[str, Any]:
    """Record the end of an execution as EventBridge reports it.

    FAILED is reported here too, in case FailProduction could not run; ABORTED is a cancelled video.
    """
    video_id, attempt = executions.parse_name(detail["name"])
    with db.transaction() as tx:
        video = productions.get_step(tx, video_id)
    if (video["status"], video["attempt"]) == ("cancelled", attempt):
        announcements.announce("video.cancelled", video, message="The video was cancelled.")
    error = progress.explain(video["current_step"] or "prepare", detail["status"], detail.get("cause") or "")
    return {"status": failure.fail(str(video["organisation_id"]), video_id, attempt, error, [])["status"]}


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event.get("source") == "aws.states":
        return _ended_from_outside(event["detail"])
    if "failure" in event:
        return _failed_at_a_step(event)
    return _finished(event)
