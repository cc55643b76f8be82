"""`make verify STAGE=dev`: everything that only a real account can show, checked one after the other.

Each check only reads, but for the last one, which orders a video (`make smoke`).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx

from local.settings import Refused
from local.stages import preflight, smoke
from local.stages.stage import Stage

DRIFT_SECONDS = 900
# Aurora and DynamoDB can be brought back to any moment but the last few minutes.
RESTORABLE_WITHIN = timedelta(minutes=15)
# Drift that means nothing: Auto Scaling and Batch change their desired size themselves, CodeDeploy the alias.
MOVES_BY_ITSELF = ("AWS::Batch::ComputeEnvironment", "AWS::Lambda::Alias")
# Public on both APIs. What is behind it (database, queues, providers) `make smoke` uses.
HEALTH = "/health"
# What no program can look at, or what would cost or change too much to be done on every run.
FOR_A_PERSON = (
    "open the link of a password email: it arrived, and it is no spam",
    "look at the video of make smoke, with sound",
    "with a GPU quota, order a video of ten minutes: a job of the GPU queue renders it",
    "connect a YouTube channel, publish a private video to it, and remove it again",
    "follow a YouTube channel of yours in the Ingestion API and upload to it: the notification arrives",
    "open the Live API with a ticket while a video is made: its messages come in order",
    "activate the tag stage in Billing, cost allocation tags: without it the budget counts nothing",
    "POST /api/v1/admin/keys/pexels/api_key/rotate with a second key, then /rollback",
    "make edge, then 2,000 requests in a minute from one address: WAF answers 429 to some",
    "make restore STAGE=<a stage nobody uses> SNAPSHOT=<the last automatic one>, then look at a video's row",
    "POST /api/v1/backups and its /restore, then make switch STAGE=<a stage nobody uses> DATABASE=<the copy>",
    "break a release on purpose (answer 500 on GET /api/v1/videos): CodeDeploy has to take it back",
    "make destroy STAGE=<a stage nobody uses> DATA=delete, then look for what is left in the console",
)

Check = Callable[[Stage], Iterator[str]]


def verify(stage: Stage, *, order_video: bool = True) -> None:
    """Print each check with what is wrong. Raises Refused if anything is."""
    region, account = stage.region(), stage.caller()["account"]
    print(f"Stage {stage.name}, account {account}, region {region}.", flush=True)
    failed = [what for what, check in CHECKS.items() if not passes(what, check, stage)]
    if order_video and not failed:
        smoke.smoke(stage)
    print("\nOnly a person can:\n" + "\n".join(f"  - {what}" for what in FOR_A_PERSON), flush=True)
    if failed:
        raise Refused(f"{len(failed)} of {len(CHECKS)} checks failed: {', '.join(failed)}", code=1)


def passes(what: str, check: Check, stage: Stage) -> bool:
    """Print one check's result. A check that can't ask fails with its reason."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        wrong = list(check(stage))
    except (Refused, BotoCoreError, ClientError, httpx.HTTPError) as error:
        wrong = [str(error)]
    print(f"  {'FAILED' if wrong else 'ok':<7} {what}", flush=True)
    for line in wrong:
        print(f"          {line}", flush=True)
    return not wrong


def account_is_ready(stage: Stage) -> Iterator[str]:
    for finding in preflight.preflight(stage).findings:
        if finding.blocks:
            yield f"{finding.what}: {finding.remedy}"


def stacks_stand(stage: Stage) -> Iterator[str]:
    for name in (stage.data_stack, stage.application_stack):
        found = stage.stack(name)
        if found is None or not found["StackStatus"].endswith("_COMPLETE"):
            yield f"{name}: {found['StackStatus'] if found else 'is not there'}; run make deploy"
        elif not found.get("EnableTerminationProtection"):
            yield f"{name} is not protected from deletion; run make deploy again"


def nothing_drifted(stage: Stage) -> Iterator[str]:
    """Compare both stacks with their resources; a change by hand is lost with the next deployment."""
    client = stage.aws("cloudformation")
    for name in (stage.data_stack, stage.application_stack):
        wait_for_detection(stage, client.detect_stack_drift(StackName=name)["StackDriftDetectionId"])
        drifted = client.describe_stack_resource_drifts(
            StackName=name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )["StackResourceDrifts"]
        for each in drifted:
            if each["ResourceType"] not in MOVES_BY_ITSELF:
                changed = ", ".join(one["PropertyPath"] for one in each.get("PropertyDifferences", []))
                what = f"{name} {each['LogicalResourceId']} is {each['StackResourceDriftStatus'].lower()}"
                yield f"{what} {changed}".rstrip()


def wait_for_detection(stage: Stage, detection: str) -> None:
    client, deadline = stage.aws("cloudformation"), time.monotonic() + DRIFT_SECONDS
    while True:
        found = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        if time.monotonic() > deadline:
            raise Refused(
                f"CloudFormation looks for drift for {DRIFT_SECONDS} s already; run it again", code=1
            )
        time.sleep(5)
    if found["DetectionStatus"] == "DETECTION_FAILED":
        raise Refused(f"drift could not be detected: {found.get('DetectionStatusReason')}", code=1)


def vpc_reaches_aws_and_the_database(stage: Stage) -> Iterator[str]:
    """Invoke the migrate function: it reads SSM through the way out, and the database."""
    answer = stage.invoke_migrate({}, 900)
    if answer["applied"]:
        yield f"migrations had been left out: {', '.join(answer['applied'])}"


def apis_answer(stage: Stage) -> Iterator[str]:
    """Ask both APIs at their public address and, behind CloudFront, around it, where they have to refuse."""
    deployed = stage.deployed(stage.application_stack)
    for api in ("Platform", "Ingestion"):
        own = stage.output(stage.application_stack, f"{api}ApiUrl")
        expected = {deployed.get(f"{api}Url", own): 200}
        expected |= {own: 403} if deployed.get("Edge") == "on" else {}
        for url, status in expected.items():
            answer = httpx.get(url + HEALTH, timeout=60)
            if answer.status_code != status:
                yield f"{url}{HEALTH} answered {answer.status_code}, expected {status}"


def media_are_closed(stage: Stage) -> Iterator[str]:
    bucket = stage.output(stage.data_stack, "MediaBucket")
    for scheme in ("https", "http"):
        answer = httpx.get(f"{scheme}://{bucket}.s3.{stage.region()}.amazonaws.com/?list-type=2", timeout=30)
        if answer.status_code != 403:
            yield f"{scheme}: the media bucket answered {answer.status_code} to nobody, expected 403"


def alarms_reach_somebody(stage: Stage) -> Iterator[str]:
    topic = stage.output(stage.data_stack, "AlarmsTopic")
    found = stage.aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    if not found:
        yield f"nobody gets the alarms; fill in AlarmEmail in stages/{stage.name}.toml"
    for each in found:
        if each["SubscriptionArn"] == "PendingConfirmation":
            yield f"{each['Endpoint']} has not confirmed the email from AWS Notifications"


def no_alarm_is_on(stage: Stage) -> Iterator[str]:
    pages = stage.aws("cloudwatch").get_paginator("describe_alarms")
    for stack in (stage.data_stack, stage.application_stack):
        for page in pages.paginate(AlarmNamePrefix=f"{stack}-", StateValue="ALARM"):
            for each in page["MetricAlarms"]:
                yield f"{each['AlarmName']}: {each['StateReason']}"


def data_can_be_restored(stage: Stage) -> Iterator[str]:
    oldest = datetime.now(UTC) - RESTORABLE_WITHIN
    table = stage.output(stage.data_stack, "StateTable")
    found = stage.aws("dynamodb").describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    points = found.get("PointInTimeRecoveryDescription", {})
    if points.get("PointInTimeRecoveryStatus") != "ENABLED" or points["LatestRestorableDateTime"] < oldest:
        yield f"the state table can't be restored to a moment of the last quarter of an hour ({points})"
    cluster = stage.outputs(stage.data_stack).get("DatabaseCluster")
    if cluster:
        database = stage.aws("rds").describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]
        if not database.get("DeletionProtection"):
            yield f"the database {cluster} can be deleted; run make deploy again"
        if database.get("LatestRestorableTime", oldest) < oldest:
            yield f"the database {cluster} was last restorable at {database['LatestRestorableTime']}"


def mails_leave(stage: Stage) -> Iterator[str]:
    account = stage.aws("sesv2").get_account()
    if not account.get("ProductionAccessEnabled"):
        yield "SES is in its sandbox: emails reach only verified addresses (make preflight has the command)"
    if not account.get("SendingEnabled", True):
        yield "SES has stopped sending for this account; its console says why"


CHECKS: dict[str, Check] = {
    "the account has what a stage needs": account_is_ready,
    "both stacks stand and are protected": stacks_stand,
    "nothing was changed by hand (drift)": nothing_drifted,
    "functions in the VPC reach AWS and the database": vpc_reaches_aws_and_the_database,
    "the APIs answer": apis_answer,
    "the media bucket is closed": media_are_closed,
    "alarms reach somebody": alarms_reach_somebody,
    "no alarm is on": no_alarm_is_on,
    "database and state table can be restored": data_can_be_restored,
    "emails reach everybody": mails_leave,
}
