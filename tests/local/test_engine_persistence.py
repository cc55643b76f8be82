"""The data that is still there after the engine was killed and the stacks were deployed once more."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import deploy
from tests.local.conftest import TEMPLATES, Engine, free_port, wait_until


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Not the session's engine: this one gets killed."""
    running = Engine(tmp_path_factory.mktemp("killed"), free_port())
    running.start()
    yield running
    running.kill(signal.SIGTERM)


@pytest.fixture(scope="module")
def data(own: Engine) -> dict[str, str]:
    return own.deploy("data", TEMPLATES / "data.yaml")


def test_what_the_data_stack_exports_can_be_imported_by_a_function_in_its_network(
    own: Engine, data: dict[str, str]
) -> None:
    function = own.deploy("importing", TEMPLATES / "importing.yaml", DataStack="data")["Function"]

    answer = own.client("lambda").invoke(FunctionName=function)
    assert json.loads(answer["Payload"].read()) == {
        "bucket": data["MediaBucket"],
        "table": data["StateTable"],
    }
    network = own.client("lambda").get_function_configuration(FunctionName=function)["VpcConfig"]
    assert network["SubnetIds"] == data["Subnets"].split(",")


def test_the_settings_of_buckets_and_tables_are_what_the_template_says(
    own: Engine, data: dict[str, str]
) -> None:
    s3, bucket = own.client("s3"), data["MediaBucket"]

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"] == "incomplete"
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["MaxAgeSeconds"] == 3600
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    lifetime = own.client("dynamodb").describe_time_to_live(TableName=data["StateTable"])[
        "TimeToLiveDescription"
    ]
    assert (lifetime["TimeToLiveStatus"], lifetime["AttributeName"]) == ("ENABLED", "expires_at")


def test_a_condition_that_is_false_makes_no_cluster(own: Engine, data: dict[str, str]) -> None:
    resources = own.client("cloudformation").describe_stack_resources(StackName="data")["StackResources"]

    assert "Cluster" not in {resource["LogicalResourceId"] for resource in resources}
    assert (
        own.client("ssm").get_parameter(Name="/showrunner/test/database/host")["Parameter"]["Value"]
        == "127.0.0.1"
    )


def write(own: Engine, data: dict[str, str]) -> bytes:
    """One thing of each kind; the sealed text."""
    s3 = own.client("s3")
    s3.put_object(
        Bucket=data["MediaBucket"],
        Key="organisations/ö/video.mp4",
        Body=b"video" * 100_000,
        ContentType="video/mp4",
        Metadata={"own": "yes"},
    )
    s3.put_object(Bucket=data["UnnamedBucket"], Key="key", Body=b"unnamed")
    own.client("ssm").put_parameter(
        Name="/showrunner/test/openai/api_key", Type="SecureString", Value="secret", Overwrite=True
    )
    own.client("dynamodb").put_item(
        TableName=data["StateTable"],
        Item={"pk": {"S": "a"}, "sk": {"S": "b"}, "n": {"N": "1.5"}, "raw": {"B": b"\x00\xff"}},
    )
    own.client("secretsmanager").create_secret(Name="one", SecretString="kept")
    return own.client("kms").encrypt(KeyId="alias/showrunner-test", Plaintext=b"sealed")["CiphertextBlob"]


def check(own: Engine, data: dict[str, str], sealed: bytes) -> None:
    s3, item = own.client("s3"), {"pk": {"S": "a"}, "sk": {"S": "b"}}
    found = s3.get_object(Bucket=data["MediaBucket"], Key="organisations/ö/video.mp4")
    assert found["Body"].read() == b"video" * 100_000
    assert (found["ContentType"], found["Metadata"]) == ("video/mp4", {"own": "yes"})
    assert s3.get_object(Bucket=data["UnnamedBucket"], Key="key")["Body"].read() == b"unnamed"
    assert (
        own.client("ssm").get_parameter(Name="/showrunner/test/openai/api_key", WithDecryption=True)[
            "Parameter"
        ]["Value"]
        == "secret"
    )
    assert own.client("dynamodb").get_item(TableName=data["StateTable"], Key=item)["Item"] == {
        **item,
        "n": {"N": "1.5"},
        "raw": {"B": b"\x00\xff"},
    }
    assert own.client("secretsmanager").get_secret_value(SecretId="one")["SecretString"] == "kept"
    assert own.client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"sealed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_data_survives_the_end_of_the_engine_and_the_deployment_after_it(
    own: Engine, data: dict[str, str], number: signal.Signals
) -> None:
    if number == signal.SIGKILL:
        sealed = write(own, data)
        own.home.joinpath("sealed").write_bytes(sealed)
        time.sleep(0.6)  # Twice the interval at which changes are saved.
    sealed = own.home.joinpath("sealed").read_bytes()
    own.kill(number)
    own.start()

    assert own.deploy("data", TEMPLATES / "data.yaml") == {
        **data,
        **{key: value for key, value in own_outputs(own).items() if key in ("Subnets", "FunctionsGroup")},
    }
    check(own, data, sealed)


def own_outputs(own: Engine) -> dict[str, str]:
    stack: dict[str, Any] = own.client("cloudformation").describe_stacks(StackName="data")["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_a_second_stack_cannot_take_over_what_the_first_has(own: Engine, data: dict[str, str]) -> None:
    with pytest.raises(pytest.fail.Exception, match="Validation failed with 1 error"):
        own.deploy("thief", TEMPLATES / "data.yaml")


def test_emails_are_refused_until_make_up_has_verified_the_sender(own: Engine) -> None:
    ses = own.client("ses")
    email = {
        "Source": deploy.MAIL_FROM,
        "Destination": {"ToAddresses": ["to@example.com"]},
        "Message": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}},
    }
    with pytest.raises(ses.exceptions.MessageRejected):
        ses.send_email(**email)

    deploy.verify_sender(ses)

    assert ses.send_email(**email)["MessageId"]


def test_an_email_lies_in_the_outbox(own: Engine) -> None:
    ses = own.client("ses")
    ses.verify_email_identity(EmailAddress="from@example.com")
    ses.send_email(
        Source="from@example.com",
        Destination={"ToAddresses": ["to@example.com"]},
        Message={"Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": "Hello"}}},
    )
    own.client("sesv2").send_email(
        FromEmailAddress="from@example.com",
        Destination={"ToAddresses": ["to@example.com"]},
        Content={"Simple": {"Subject": {"Data": "second"}, "Body": {"Html": {"Data": "<b>Hi</b>"}}}},
    )

    first, second = sorted(Path(own.home, "outbox").glob("*.eml"))[-2:]
    assert b"to@example.com" in first.read_bytes()
    assert b"second" in second.read_bytes()


def test_a_suppressed_address_gets_no_email_until_it_is_taken_off_the_list(own: Engine) -> None:
    ses, list_ = own.client("ses"), own.client("sesv2")
    ses.verify_email_identity(EmailAddress="from@example.com")
    outbox = Path(own.home, "outbox")

    def arrived() -> int:
        before = len(list(outbox.glob("*.eml")))
        ses.send_email(
            Source="from@example.com",
            Destination={"ToAddresses": ["Gone@example.com"]},
            Message={"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}},
        )
        return len(list(outbox.glob("*.eml"))) - before

    for address in ("gone@example.com", "angry@example.com"):
        list_.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")
    first = list_.list_suppressed_destinations(PageSize=1)
    second = list_.list_suppressed_destinations(PageSize=1, NextToken=first["NextToken"])
    while_suppressed = arrived()
    list_.delete_suppressed_destination(EmailAddress="gone@example.com")

    found = [page["SuppressedDestinationSummaries"][0]["EmailAddress"] for page in (first, second)]
    assert (found, "NextToken" in second) == (["angry@example.com", "gone@example.com"], False)
    assert (while_suppressed, arrived()) == (0, 1)
    with pytest.raises(list_.exceptions.NotFoundException):
        list_.delete_suppressed_destination(EmailAddress="gone@example.com")


def test_an_execution_that_was_cut_off_is_aborted_with_an_event_once_its_machine_is_there_again(
    own: Engine,
) -> None:
    outputs = own.deploy("cut", TEMPLATES / "cut.yaml")
    arn = own.client("stepfunctions").start_execution(
        stateMachineArn=outputs["Machine"], name="video-1", input='{"video": 1}'
    )["executionArn"]
    own.kill(signal.SIGKILL)
    own.start()
    assert own.deploy("cut", TEMPLATES / "cut.yaml")["Machine"] == outputs["Machine"]

    queue = own.client("sqs")
    body = json.loads(
        wait_until(lambda: queue.receive_message(QueueUrl=outputs["Messages"]).get("Messages"))[0]["Body"]
    )
    assert (body["detail"]["status"], body["detail"]["executionArn"], body["detail"]["error"]) == (
        "ABORTED",
        arn,
        "Engine.Restarted",
    )
    assert json.loads(body["detail"]["input"]) == {"video": 1}
    assert own.client("stepfunctions").describe_execution(executionArn=arn)["status"] == "ABORTED"
