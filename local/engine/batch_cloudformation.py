"""AWS::Batch::{ComputeEnvironment,JobQueue,JobDefinition,SchedulingPolicy} in CloudFormation, which MiniStack doesn't know."""

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
    """What Batch said against it; CloudFormation shows it as the resource's failure."""


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
    """Parameters of a template arrive as text."""
    return {key: int(value) if key in names else value for key, value in properties.items()}


def _create_environment(logical_id: str, properties: Json, stack_name: str) -> Created:
    wanted = _named(properties, "computeEnvironmentName", logical_id, stack_name)
    records._compute_envs.pop(wanted["computeEnvironmentName"], None)
    if resources := wanted.get("computeResources"):
        wanted["computeResources"] = _numbers(resources, "minvCpus", "maxvCpus", "desiredvCpus", "bidPercentage")
    arn = _body(records._create_compute_environment(wanted))["computeEnvironmentArn"]
    return arn, {"ComputeEnvironmentArn": arn}


def _create_queue(logical_id: str, properties: Json, stack_name: str) -> Created:
    wanted = _numbers(_named(properties, "jobQueueName", logical_id, stack_name), "priority")
    name = wanted["jobQueueName"]
    for entry in wanted.get("computeEnvironmentOrder", []):
        if entry["computeEnvironment"].rsplit("/", 1)[-1] not in records._compute_envs:
            raise NotCreated(f"{entry['computeEnvironment']} not found")
    records._job_queues.pop(name, None)
    arn = _body(records._create_job_queue(wanted))["jobQueueArn"]
    if policy := wanted.get("schedulingPolicyArn"):
        records._job_queues[name]["schedulingPolicyArn"] = policy
    return arn, {"JobQueueArn": arn}


def _create_definition(logical_id: str, properties: Json, stack_name: str) -> Created:
    wanted = _named(properties, "jobDefinitionName", logical_id, stack_name)
    if timeout := wanted.get("timeout"):
        wanted["timeout"] = _numbers(timeout, "attemptDurationSeconds")
    if strategy := wanted.get("retryStrategy"):
        wanted["retryStrategy"] = _numbers(strategy, "attempts")
    arn = batch.register(wanted)["jobDefinitionArn"]
    return arn, {"JobDefinitionArn": arn}


def _create_policy(logical_id: str, properties: Json, stack_name: str) -> Created:
    """Kept only as a name: shares count by what they have used, all with the same weight."""
    name = _named(properties, "name", logical_id, stack_name)["name"]
    arn = f"arn:aws:batch:{get_region()}:{get_account_id()}:scheduling-policy/{name}"
    return arn, {"Arn": arn}


def _update_definition(physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str) -> Created:
    """A new revision; the one before is deregistered, and jobs of it that run go on."""
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
        "ComputeEnvironment": (_create_environment, _updated_by(_create_environment), _deleted_from(records._compute_envs)),
        "JobQueue": (_create_queue, _updated_by(_create_queue), _deleted_from(records._job_queues)),
        "JobDefinition": (_create_definition, _update_definition, _delete_definition),
        "SchedulingPolicy": (_create_policy, _updated_by(_create_policy), lambda physical_id, properties: None),
    }
    for kind, (create, update, delete) in kinds.items():
        HANDLERS[f"AWS::Batch::{kind}"] = {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}
