"""AWS::Batch::{ComputeEnvironment,JobQueue,JobDefinition,SchedulingPolicy} for CloudFormation; MiniStack
lacks them.
"""

import json
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import batch as records
from ministack.services.cloudformation import provisioners

from . import batch
from .batch_names import to_api
from .expected import expect

Json = dict[str, Any]
Created = tuple[str, Json]

HANDLERS = expect(provisioners, "_RESOURCE_HANDLERS")
expect(provisioners, "_physical_name", "stack_name", "logical_id", "lowercase", "max_len")
expect(records, "_create_compute_environment", "p")
expect(records, "_create_job_queue", "p")


class NotCreated(ValueError):
    """Batch refused the resource. CloudFormation shows the message as the resource's failure."""


def _body(answer: Any) -> Json:
    status, _, body = answer
    document: Json = json.loads(body)
    if status >= 400:
        raise NotCreated(document.get("message", str(document)))
    return document


def _named(properties: Json, name_property: str, logical_id: str, stack_name: str) -> Json:
    properties = to_api(properties)
    return {name_property: provisioners._physical_name(stack_name, logical_id, max_len=100), **properties}


def _numbers(properties: Json, *names: str) -> Json:
    """Convert numbers: template parameters arrive as text."""
    return {key: int(value) if key in names else value for key, value in properties.items()}


def _create_environment(logical_id: str, properties: Json, stack_name: str) -> Created:
    request = _named(properties, "computeEnvironmentName", logical_id, stack_name)
    records._compute_envs.pop(request["computeEnvironmentName"], None)
    if resources := request.get("computeResources"):
        request["computeResources"] = _numbers(
            resources, "minvCpus", "maxvCpus", "desiredvCpus", "bidPercentage"
        )
    arn = _body(records._create_compute_environment(request))["computeEnvironmentArn"]
    return arn, {"ComputeEnvironmentArn": arn}


def _create_queue(logical_id: str, properties: Json, stack_name: str) -> Created:
    request = _numbers(_named(properties, "jobQueueName", logical_id, stack_name), "priority")
    name = request["jobQueueName"]
    for entry in request.get("computeEnvironmentOrder", []):
        if entry["computeEnvironment"].rsplit("/", 1)[-1] not in records._compute_envs:
            raise NotCreated(f"{entry['computeEnvironment']} not found")
    records._job_queues.pop(name, None)
    arn = _body(records._create_job_queue(request))["jobQueueArn"]
    if policy := request.get("schedulingPolicyArn"):
        records._job_queues[name]["schedulingPolicyArn"] = policy
    return arn, {"JobQueueArn": arn}


def _create_definition(logical_id: str, properties: Json, stack_name: str) -> Created:
    request = _named(properties, "jobDefinitionName", logical_id, stack_name)
    if timeout := request.get("timeout"):
        request["timeout"] = _numbers(timeout, "attemptDurationSeconds")
    if strategy := request.get("retryStrategy"):
        request["retryStrategy"] = _numbers(strategy, "attempts")
    arn = batch.register(request)["jobDefinitionArn"]
    return arn, {"JobDefinitionArn": arn}


def _create_policy(logical_id: str, properties: Json, stack_name: str) -> Created:
    """Create a policy as a name only: all shares have the same weight."""
    name = _named(properties, "name", logical_id, stack_name)["name"]
    arn = f"arn:aws:batch:{get_region()}:{get_account_id()}:scheduling-policy/{name}"
    return arn, {"Arn": arn}


def _update_definition(physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str) -> Created:
    """Register a new revision and deregister the previous one. Its running jobs continue."""
    created = _create_definition(logical_id, new, stack_name)
    _delete_definition(physical_id, old)
    return created


def _delete_definition(physical_id: str, properties: Json) -> None:
    if record := batch.find_definition(physical_id):
        record["status"] = "INACTIVE"


def _updated_by(create: Any) -> Any:
    return lambda physical_id, old, new, stack_name, logical_id: create(logical_id, new, stack_name)


def _deleted_from(store: Any) -> Any:
    return lambda physical_id, properties: store.pop(physical_id.rsplit("/", 1)[-1], None)


def install() -> None:
    kinds = {
        "ComputeEnvironment": (
            _create_environment,
            _updated_by(_create_environment),
            _deleted_from(records._compute_envs),
        ),
        "JobQueue": (_create_queue, _updated_by(_create_queue), _deleted_from(records._job_queues)),
        "JobDefinition": (_create_definition, _update_definition, _delete_definition),
        "SchedulingPolicy": (
            _create_policy,
            _updated_by(_create_policy),
            lambda physical_id, properties: None,
        ),
    }
    for kind, (create, update, delete) in kinds.items():
        HANDLERS[f"AWS::Batch::{kind}"] = {
            "create": create,
            "update": update,
            "update_with_logical_id": True,
            "delete": delete,
        }
