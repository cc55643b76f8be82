"""Service integrations that MiniStack lacks or handles differently: Batch, nested executions, EventBridge."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from . import batch
from .batch_names import from_api, to_api
from .expected import expect, expect_keys
from .stepfunctions_scopes import LOOK_SECONDS, ExecutionError, Stopped, check, should_stop

Json = dict[str, Any]

DISPATCH = expect_keys(stepfunctions, "_SERVICE_DISPATCH", "arn:aws:states:::events:putEvents")
expect(stepfunctions, "_invoke_nested_start_execution", "resource", "input_data")
expect(stepfunctions, "_invoke_nested_start_execution_sync", "resource", "input_data")
expect(stepfunctions, "_nested_start_execution_request", "input_data")
expect(stepfunctions, "_stop_execution", "data")
expect(
    stepfunctions,
    "_run_distributed_map",
    "state_def",
    "raw_input",
    "effective",
    "iterator",
    "execution",
    "ctx",
)

expect(stepfunctions, "_apply_jsonata_template", "value", "raw_input", "ctx")

# Fields of a distributed Map that MiniStack ignores silently; in JSONata it would take expressions as text.
UNSUPPORTED_IN_DISTRIBUTED_MAP = ("ItemBatcher", "ResultWriter")
UNSUPPORTED_IN_JSONATA = ("ItemSelector", "Items")
SHOWN_OF_NESTED = (
    "executionArn",
    "input",
    "name",
    "output",
    "startDate",
    "stateMachineArn",
    "status",
    "stopDate",
)


class BatchIntegration:
    def __init__(self, api: batch.Api) -> None:
        self.api = api

    def submit(self, resource: str, data: Json) -> Json:
        """Run arn:aws:states:::batch:submitJob; with .sync wait for the job. The job ends with the state."""
        request = to_api(data)
        overrides = request.setdefault("containerOverrides", {})
        # Step Functions tags the jobs that it starts this way.
        overrides["environment"] = [
            *overrides.get("environment", []),
            {"name": "MANAGED_BY_AWS", "value": "STARTED_BY_STEP_FUNCTIONS"},
        ]
        try:
            submitted = self.api.submit(request)
        except batch.Refused as refusal:
            raise ExecutionError(
                "Batch.ClientException",
                f"{refusal} (Service: AWSBatch; Status Code: 400; Error Code: ClientException)",
            ) from refusal
        if not resource.endswith(".sync"):
            return from_api(submitted)
        job = self.api.scheduler.jobs[submitted["jobId"]]
        self._wait(job)
        description = from_api(json.loads(json.dumps(job.description)))
        if job.status == "FAILED":
            raise ExecutionError("States.TaskFailed", json.dumps(description))
        return description

    def list_jobs(self, _: str, data: Json) -> Json:
        """Run arn:aws:states:::aws-sdk:batch:listJobs."""
        return self._asked(self.api.list_jobs, data)

    def terminate_job(self, _: str, data: Json) -> Json:
        """Run arn:aws:states:::aws-sdk:batch:terminateJob."""
        if missing := {"JobId", "Reason"} - data.keys():
            raise ExecutionError("States.Runtime", f"batch:terminateJob needs {', '.join(sorted(missing))}")
        return self._asked(self.api.terminate_job, data)

    @staticmethod
    def _asked(operation: Callable[[Json], Json], data: Json) -> Json:
        try:
            return from_api(operation(to_api(data)))
        except batch.Refused as refusal:
            raise ExecutionError(
                "Batch.ClientException",
                f"{refusal} (Service: Batch; Status Code: 400; Error Code: ClientException)",
            ) from refusal

    def _wait(self, job: batch.Job) -> None:
        while not job.finished.wait(LOOK_SECONDS):
            if should_stop():
                self.api.scheduler.terminate(job, "The Step Functions task that started this job has ended")
                raise Stopped


def start_nested(resource: str, data: Json) -> Json:
    status, _, body = stepfunctions._start_execution(stepfunctions._nested_start_execution_request(data))
    answer = json.loads(body)
    if status >= 400:
        name = answer.get("__type", "ExecutionFailed").rpartition("#")[2].removesuffix("Exception")
        raise ExecutionError(f"StepFunctions.{name}Exception", answer.get("message", ""))
    return {"ExecutionArn": answer["executionArn"], "StartDate": answer["startDate"]}


def start_nested_and_wait(resource: str, data: Json) -> Json:
    arn = start_nested(resource, data)["ExecutionArn"]
    child = stepfunctions._executions[arn]
    while child["status"] == "RUNNING":
        if should_stop():
            stepfunctions._stop_execution(
                {"executionArn": arn, "cause": "The execution that started this one has ended"}
            )
            raise Stopped
        stepfunctions.time.sleep(LOOK_SECONDS / 2)
    description = {key[0].upper() + key[1:]: child.get(key) for key in SHOWN_OF_NESTED}
    description.update(InputDetails={"Included": True}, OutputDetails={"Included": True})
    if child["status"] != "SUCCEEDED":
        description.pop("Output")
        cause = {
            **description,
            **{name.title(): child[name] for name in ("error", "cause") if child.get(name)},
        }
        raise ExecutionError("States.TaskFailed", json.dumps(cause))
    if resource.endswith(".sync:2"):
        description["Output"] = json.loads(child["output"])
    return description


def _put_events(put: Any) -> Any:
    def put_all_or_fail(resource: str, data: Json) -> Json:
        result = put(
            resource, {**data, "Entries": [_with_text_detail(entry) for entry in data.get("Entries", [])]}
        )
        if result.get("FailedEntryCount"):
            raise ExecutionError("EventBridge.FailedEntry", json.dumps(result))
        return result

    return put_all_or_fail


def _with_text_detail(entry: Json) -> Json:
    """Convert the detail to text: a machine may give JSON, EventBridge takes text."""
    detail = entry.get("Detail", {})
    return {**entry, "Detail": detail if isinstance(detail, str) else json.dumps(detail)}


def _checked_distributed_map(run: Any) -> Any:
    def distributed_map(
        state: Json, raw_input: Any, effective: Any, iterator: Json, execution: Json, ctx: Json
    ) -> Any:
        check()
        is_jsonata = stepfunctions._state_query_language(state, ctx) == "JSONata"
        unsupported = UNSUPPORTED_IN_DISTRIBUTED_MAP + (UNSUPPORTED_IN_JSONATA if is_jsonata else ())
        if ignored := [field for field in unsupported if field in state]:
            raise ExecutionError(
                "States.Runtime",
                f"The local engine doesn't support {', '.join(ignored)} of a distributed Map",
            )
        if not is_jsonata:
            return run(state, raw_input, effective, iterator, execution, ctx)
        results, following = run(
            _with_arguments(state, raw_input, ctx), raw_input, effective, iterator, execution, ctx
        )
        output = stepfunctions._apply_jsonata_output(state, raw_input, ctx, result=results, default=results)
        stepfunctions._apply_state_assign(state, raw_input, ctx, result=results)
        return output, following

    return distributed_map


def _with_arguments(state: Json, raw_input: Any, ctx: Json) -> Json:
    """Return the state with the reader's arguments evaluated: MiniStack reads them as JSONPath."""
    if "ItemReader" not in state:
        return state
    reader = state["ItemReader"]
    arguments = stepfunctions._apply_jsonata_template(reader.get("Arguments", {}), raw_input, ctx)
    return {**state, "ItemReader": {**reader, "Arguments": arguments}}


def install(api: batch.Api) -> None:
    integration = BatchIntegration(api)
    DISPATCH["arn:aws:states:::batch:submitJob"] = integration.submit
    DISPATCH["arn:aws:states:::aws-sdk:batch:listJobs"] = integration.list_jobs
    DISPATCH["arn:aws:states:::aws-sdk:batch:terminateJob"] = integration.terminate_job
    DISPATCH["arn:aws:states:::events:putEvents"] = _put_events(DISPATCH["arn:aws:states:::events:putEvents"])
    stepfunctions._invoke_nested_start_execution = start_nested
    stepfunctions._invoke_nested_start_execution_sync = start_nested_and_wait
    stepfunctions._run_distributed_map = _checked_distributed_map(stepfunctions._run_distributed_map)
