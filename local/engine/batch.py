"""AWS Batch that runs its jobs: queues, slots, attempts, dependencies, events.

MiniStack's own Batch keeps the records of environments, queues and definitions; the jobs are ours. A job runs
its definition's command as a process of this machine. Image, vCPUs and memory are stored and returned, and
limit nothing. Array and multi-node jobs are refused.
"""

import contextvars
import fnmatch
import json
import queue
import re
import threading
import uuid
from collections import Counter
from typing import Any

from ministack.services import batch as records
from ministack.services import eventbridge

from .batch_process import LOG_GROUP, BatchProcess
from .callers import Callers
from .expected import expect, expect_keys
from .logs import LogStream
from .settings import Settings

Json = dict[str, Any]

DISPATCH = expect_keys(
    records,
    "_DISPATCH",
    "/v1/submitjob",
    "/v1/describejobs",
    "/v1/listjobs",
    "/v1/registerjobdefinition",
    "/v1/describejobdefinitions",
)
for store in ("_jobs", "_job_queues", "_job_definitions", "_compute_envs"):
    expect(records, store)
for function, *parameters in (
    ("_json", "status", "body"),
    ("_jd_arn", "name", "revision"),
    ("_jq_arn", "name"),
    ("_job_arn", "job_id"),
    ("_now_ms",),
):
    expect(records, function, *parameters)
expect(records, "error_response_json")
expect(records, "_create_job_queue", "p")
expect(eventbridge, "_put_events", "data", "allow_aws_source")

FINAL = ("SUCCEEDED", "FAILED")
WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")
# https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
SHARE_PATTERN = re.compile(r"[A-Za-z0-9]{1,255}")
SHOWN_IN_LISTS = (
    "jobArn",
    "jobId",
    "jobName",
    "createdAt",
    "startedAt",
    "stoppedAt",
    "status",
    "statusReason",
    "jobDefinition",
    "shareIdentifier",
)


class Refused(Exception):
    """Becomes a ClientException."""


class Job:
    """A job: its description as DescribeJobs returns it, and the state that running it needs."""

    def __init__(self, description: Json) -> None:
        self.description = description
        self.finished = threading.Event()
        self.process: BatchProcess | None = None
        self.stop_reason: str | None = None
        self.context = contextvars.copy_context()  # contains MiniStack's account and region
        self.wanted_from_ms = 0

    @property
    def id(self) -> str:
        return self.description["jobId"]

    @property
    def status(self) -> str:
        return self.description["status"]

    @property
    def share(self) -> tuple[str, str]:
        return self.description["jobQueue"], self.description.get("shareIdentifier", "")


class Scheduler:
    """Give free slots to runnable jobs: by queue priority, then the share that used least, then job priority,
    then age.
    """

    def __init__(self, settings: Settings, callers: Callers) -> None:
        self.settings, self.callers = settings, callers
        self.jobs: dict[str, Job] = {}
        self._free = settings.batch_slots
        self._used_seconds: Counter[tuple[str, str]] = Counter()
        self._running: Counter[tuple[str, str]] = Counter()
        self._lock = threading.RLock()
        self._stopped = False
        # Events are sent by one thread, in order, because handling an event may call back into this class.
        self._events: queue.SimpleQueue[tuple[Job, str]] = queue.SimpleQueue()
        threading.Thread(target=self._tell, daemon=True, name="batch-events").start()

    def _tell(self) -> None:
        while True:
            job, detail = self._events.get()
            job.context.copy().run(_emit, job, detail)

    def submit(self, job: Job) -> None:
        with self._lock:
            self.jobs[job.id] = job
            _record(job)
        self._move(job, "SUBMITTED")
        self.look()

    def look(self) -> None:
        """Start all jobs that can start. Called after every change."""
        with self._lock:
            for waiting in [job for job in self.jobs.values() if job.status in ("SUBMITTED", "PENDING")]:
                self._resolve_dependencies(waiting)
            while self._free and not self._stopped and (job := self._next()):
                self._free -= 1
                self._running[job.share] += 1
                self._move(job, "STARTING")
                threading.Thread(
                    target=job.context.copy().run,
                    args=(self._run, job),
                    daemon=True,
                    name=f"batch-{job.id[:8]}",
                ).start()

    def _resolve_dependencies(self, job: Job) -> None:
        statuses = [
            self.jobs[needed["jobId"]].status
            for needed in job.description["dependsOn"]
            if needed["jobId"] in self.jobs
        ]
        if "FAILED" in statuses:
            self._end(job, "FAILED", "Dependent Job failed")
        elif any(status != "SUCCEEDED" for status in statuses):
            self._move(job, "PENDING")
        else:
            self._move(job, "RUNNABLE")

    def _next(self) -> Job | None:
        enabled = [
            job
            for job in self.jobs.values()
            if job.status == "RUNNABLE" and _queue_of(job).get("state") == "ENABLED"
        ]
        return min(enabled, key=self._order, default=None)

    def _order(self, job: Job) -> tuple[float, ...]:
        share = (self._running[job.share], self._used_seconds[job.share])
        return (
            -_queue_of(job).get("priority", 0),
            *share,
            -job.description.get("schedulingPriority", 0),
            job.wanted_from_ms,
        )

    def _run(self, job: Job) -> None:
        started_ms = records._now_ms()
        retry = False
        try:
            retry = self._attempt(job)
        except Exception as failure:
            self._end(job, "FAILED", f"the engine could not run this job: {failure!r}")
            raise
        finally:
            with self._lock:
                self._free += 1
                self._running[job.share] -= 1
                self._used_seconds[job.share] += (records._now_ms() - started_ms) / 1000
            if retry:
                self._move(job, "RUNNABLE")
            self.look()

    def _attempt(self, job: Job) -> bool:
        """Run one attempt. Returns True if the job must be retried."""
        description, container = job.description, job.description["container"]
        started_ms = records._now_ms()
        options = (container.get("logConfiguration") or {}).get("options") or {}
        container["logStreamName"] = (
            f"{options.get('awslogs-stream-prefix') or _definition_name(description)}"
            f"/default/{uuid.uuid4().hex}"
        )
        container["taskArn"] = (
            description["jobArn"].replace(":batch:", ":ecs:").replace(":job/", ":task/local/")
        )
        log = LogStream(options.get("awslogs-group", LOG_GROUP), container["logStreamName"])
        with self._lock:
            if job.stop_reason is None:
                job.process = BatchProcess(self.settings, container["command"], self._environment(job), log)
                description["startedAt"] = started_ms
        if job.process is None:
            self._end(job, "FAILED", job.stop_reason)
            return False
        self._move(job, "RUNNING")
        ending = job.process.wait((description.get("timeout") or {}).get("attemptDurationSeconds"))
        job.process = None
        reason = "Essential container in task exited"
        if ending.timed_out:
            reason = "Job attempt duration exceeded timeout"
        elif ending.cannot_start:
            reason = "Task failed to start"
            container["reason"] = f"CannotStartContainerError: {container['command'][0]} could not be started"
        container["exitCode"] = ending.exit_code
        outcome = {
            key: container[key]
            for key in ("exitCode", "logStreamName", "taskArn", "reason")
            if key in container
        }
        description["attempts"].append(
            {
                "container": outcome,
                "startedAt": started_ms,
                "stoppedAt": records._now_ms(),
                "statusReason": job.stop_reason or reason,
            }
        )
        if ending.exit_code == 0 and not ending.timed_out:
            self._end(job, "SUCCEEDED", reason)
            return False
        # A job that timed out or was terminated is not retried.
        if (
            job.stop_reason is None
            and not ending.timed_out
            and _wants_retry(description, ending.exit_code, reason, container.get("reason", ""))
        ):
            return True
        self._end(job, "FAILED", job.stop_reason or reason)
        return False

    def _environment(self, job: Job) -> dict[str, str]:
        description = job.description
        return {
            **self.callers.credentials("batch", _definition_name(description)),
            "AWS_BATCH_JOB_ID": description["jobId"],
            "AWS_BATCH_JOB_ATTEMPT": str(len(description["attempts"]) + 1),
            "AWS_BATCH_JQ_NAME": description["jobQueue"].rsplit("/", 1)[-1],
            "AWS_BATCH_CE_NAME": "local",
            **{variable["name"]: variable["value"] for variable in description["container"]["environment"]},
        }

    def terminate(self, job: Job, reason: str) -> None:
        with self._lock:
            if job.status in WAITING:
                job.stop_reason = reason
                self._end(job, "FAILED", reason)
            elif job.status not in FINAL and job.stop_reason is None:
                job.stop_reason = reason
                job.description["isTerminated"] = True
                if job.process:
                    job.process.terminate()
        self.look()

    def cancel(self, job: Job, reason: str) -> None:
        """Cancel a job that has not started. A running job continues."""
        with self._lock:
            if job.status in WAITING:
                job.description["isCancelled"] = True
                self._end(job, "FAILED", reason)
        self.look()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            processes = [job.process for job in self.jobs.values() if job.process]
        for process in processes:
            process.kill()

    def _end(self, job: Job, status: str, reason: str | None) -> None:
        job.description["stoppedAt"] = records._now_ms()
        self._move(job, status, reason)

    def _move(self, job: Job, status: str, reason: str | None = None) -> None:
        with self._lock:
            if job.status == status or job.status in FINAL:
                return
            job.description["status"] = status
            if reason:
                job.description["statusReason"] = reason
            if status == "RUNNABLE":
                job.wanted_from_ms = job.wanted_from_ms or records._now_ms()
            self._events.put((job, json.dumps(job.description)))
        if status in FINAL:
            job.finished.set()
            self.look()


def _record(job: Job) -> None:
    records._jobs[job.id] = job.description


def _queue_of(job: Job) -> Json:
    return job.context.copy().run(
        lambda: records._job_queues.get(job.description["jobQueue"].rsplit("/", 1)[-1]) or {}
    )


def _definition_name(description: Json) -> str:
    return description["jobDefinition"].rsplit("/", 1)[-1].partition(":")[0]


def _wants_retry(description: Json, exit_code: int, status_reason: str, reason: str) -> bool:
    """Apply evaluateOnExit: the first entry whose conditions all match decides; if none matches, the job is
    retried.

    https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
    """
    strategy = description.get("retryStrategy") or {}
    if len(description["attempts"]) >= int(strategy.get("attempts", 1)):
        return False
    values = {"onExitCode": str(exit_code), "onStatusReason": status_reason, "onReason": reason}
    for entry in strategy.get("evaluateOnExit") or []:
        conditions = [(values[name], entry[name]) for name in values if name in entry]
        if all(fnmatch.fnmatchcase(value.lower(), str(pattern).lower()) for value, pattern in conditions):
            return str(entry["action"]).upper() == "RETRY"
    return True


def _emit(job: Job, detail: str) -> None:
    entry = {
        "Source": "aws.batch",
        "DetailType": "Batch Job State Change",
        "Resources": [job.description["jobArn"]],
        "Detail": detail,
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def register(definition: Json) -> Json:
    """Store a new revision of a job definition with all its fields."""
    name = definition.get("jobDefinitionName") or ""
    if not NAME_PATTERN.fullmatch(name):
        raise Refused(f"Error executing request, Exception : jobDefinitionName {name!r} is not valid")
    if definition.get("type", "container") != "container" or definition.get("nodeProperties"):
        raise Refused("only container jobs run on the local engine")
    revisions = records._job_definitions.setdefault(name, [])
    revision = len(revisions) + 1
    record = {
        "type": "container",
        **definition,
        "revision": revision,
        "status": "ACTIVE",
        "jobDefinitionArn": records._jd_arn(name, revision),
    }
    revisions.append(record)
    return record


def find_definition(reference: str) -> Json | None:
    """Find a definition by name (newest revision), name:revision or ARN."""
    name, _, revision = reference.rsplit("job-definition/", 1)[-1].partition(":")
    active = [record for record in records._job_definitions.get(name, []) if record["status"] == "ACTIVE"]
    found = [record for record in active if not revision or str(record["revision"]) == revision]
    return found[-1] if found else None


def describe(request: Json, definition: Json, job_queue: Json) -> Json:
    """Return a new job as DescribeJobs shows it."""
    container = definition.get("containerProperties") or {}
    overrides = request.get("containerOverrides") or {}
    parameters = {**(definition.get("parameters") or {}), **(request.get("parameters") or {})}
    environment = {
        variable["name"]: variable.get("value", "")
        for variable in [*(container.get("environment") or []), *(overrides.get("environment") or [])]
    }
    command = [
        _with_parameter(word, parameters)
        for word in overrides.get("command") or container.get("command") or []
    ]
    job_id = str(uuid.uuid4())
    description = {
        "jobId": job_id,
        "jobArn": records._job_arn(job_id),
        "jobName": request["jobName"],
        "jobQueue": job_queue["jobQueueArn"],
        "jobDefinition": definition["jobDefinitionArn"],
        "status": "NEW",
        "createdAt": records._now_ms(),
        "attempts": [],
        "dependsOn": request.get("dependsOn") or [],
        "parameters": parameters,
        "retryStrategy": {
            "attempts": 1,
            "evaluateOnExit": [],
            **(request.get("retryStrategy") or definition.get("retryStrategy") or {}),
        },
        "tags": request.get("tags") or {},
        "platformCapabilities": definition.get("platformCapabilities") or ["EC2"],
        "isCancelled": False,
        "isTerminated": False,
        "container": {
            "volumes": [],
            "mountPoints": [],
            "ulimits": [],
            "networkInterfaces": [],
            "resourceRequirements": [],
            "secrets": [],
            **container,
            **(
                {"resourceRequirements": overrides["resourceRequirements"]}
                if overrides.get("resourceRequirements")
                else {}
            ),
            "command": command,
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
        },
    }
    if timeout := request.get("timeout") or definition.get("timeout"):
        description["timeout"] = timeout
    if share := request.get("shareIdentifier"):
        description["shareIdentifier"] = share
        description["schedulingPriority"] = int(
            request.get("schedulingPriorityOverride") or definition.get("schedulingPriority") or 0
        )
    return description


def _with_parameter(word: str, parameters: Json) -> str:
    return str(parameters.get(word[5:], word)) if word.startswith("Ref::") else word


class Api:
    """Batch's API calls for jobs and their definitions, in the form in which MiniStack's dispatcher calls
    them.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def submit(self, request: Json) -> Json:
        """Accept a job. Returns jobId, jobName and jobArn. Raises Refused."""
        if not NAME_PATTERN.fullmatch(request.get("jobName") or ""):
            raise Refused("Error executing request, Exception : Job name should match valid pattern")
        if request.get("arrayProperties") or request.get("nodeOverrides"):
            raise Refused("array and multi-node jobs do not run on the local engine")
        definition = find_definition(request.get("jobDefinition") or "")
        if definition is None:
            raise Refused(
                f"Error executing request, Exception : JobDefinition {request.get('jobDefinition')} not found"
            )
        job_queue = self._queue(request)
        if unknown := [
            needed["jobId"]
            for needed in request.get("dependsOn") or []
            if needed["jobId"] not in self.scheduler.jobs
        ]:
            raise Refused(f"Error executing request, Exception : Job dependency {unknown[0]} not found")
        job = Job(describe(request, definition, job_queue))
        self.scheduler.submit(job)
        return {key: job.description[key] for key in ("jobId", "jobName", "jobArn")}

    def _queue(self, request: Json) -> Json:
        found = records._job_queues.get((request.get("jobQueue") or "").rsplit("job-queue/", 1)[-1])
        if found is None:
            raise Refused(
                f"Error executing request, Exception : Job Queue {request.get('jobQueue')} not found"
            )
        share = request.get("shareIdentifier")
        if found.get("schedulingPolicyArn") and not share:
            raise Refused(
                "Error executing request, Exception : shareIdentifier must be specified for a job queue "
                "with a scheduling policy"
            )
        if share and not found.get("schedulingPolicyArn"):
            raise Refused(
                "Error executing request, Exception : shareIdentifier is not allowed for a job queue "
                "without a scheduling policy"
            )
        if share and not SHARE_PATTERN.fullmatch(share):
            raise Refused(
                f"Error executing request, Exception : shareIdentifier {share!r} must be alphanumeric"
            )
        if found.get("state") == "DISABLED":
            raise Refused("Error executing request, Exception : Cannot submit job to disabled queue")
        return found

    def describe_jobs(self, request: Json) -> Json:
        return {
            "jobs": [records._jobs[job_id] for job_id in request.get("jobs") or [] if job_id in records._jobs]
        }

    def list_jobs(self, request: Json) -> Json:
        in_queue = (request.get("jobQueue") or "").rsplit("/", 1)[-1]
        # AWS lists RUNNING jobs if no status is given.
        status = None if request.get("filters") else request.get("jobStatus") or "RUNNING"
        names = [
            value
            for condition in request.get("filters") or []
            if condition.get("name") == "JOB_NAME"
            for value in condition["values"]
        ]
        chosen = [
            job
            for job in list(records._jobs.values())
            if (not in_queue or job["jobQueue"].rsplit("/", 1)[-1] == in_queue)
            and (not status or job["status"] == status)
            and (not names or any(fnmatch.fnmatchcase(job["jobName"], name) for name in names))
        ]
        return {"jobSummaryList": [{key: job[key] for key in SHOWN_IN_LISTS if key in job} for job in chosen]}

    def terminate_job(self, request: Json) -> Json:
        self.scheduler.terminate(self._job(request), request.get("reason") or "Terminated by user")
        return {}

    def cancel_job(self, request: Json) -> Json:
        self.scheduler.cancel(self._job(request), request.get("reason") or "Cancelled by user")
        return {}

    def _job(self, request: Json) -> Job:
        job = self.scheduler.jobs.get(request.get("jobId") or "")
        if job is None:
            raise Refused(f"Error executing request, Exception : Job {request.get('jobId')} not found")
        return job

    def register(self, request: Json) -> Json:
        record = register(request)
        return {key: record[key] for key in ("jobDefinitionName", "jobDefinitionArn", "revision")}

    def describe_definitions(self, request: Json) -> Json:
        found = request.get("jobDefinitions")
        name, status = request.get("jobDefinitionName"), request.get("status")
        everything = [record for revisions in list(records._job_definitions.values()) for record in revisions]
        if found:
            return {"jobDefinitions": [record for record in map(find_definition, found) if record]}
        return {
            "jobDefinitions": [
                r
                for r in everything
                if (not name or r["jobDefinitionName"] == name) and (not status or r["status"] == status)
            ]
        }

    def deregister(self, request: Json) -> Json:
        if record := find_definition(request.get("jobDefinition") or ""):
            record["status"] = "INACTIVE"
        return {}


def _answering(call: Any) -> Any:
    def answer(request: Json) -> Any:
        try:
            return records._json(200, call(request))
        except Refused as refusal:
            return records.error_response_json("ClientException", str(refusal), 400)

    return answer


def install(settings: Settings, callers: Callers) -> Api:
    api = Api(Scheduler(settings, callers))
    calls = {
        "submitjob": api.submit,
        "describejobs": api.describe_jobs,
        "listjobs": api.list_jobs,
        "terminatejob": api.terminate_job,
        "canceljob": api.cancel_job,
        "registerjobdefinition": api.register,
        "deregisterjobdefinition": api.deregister,
        "describejobdefinitions": api.describe_definitions,
    }
    DISPATCH.update({f"/v1/{name}": _answering(call) for name, call in calls.items()})
    return api
