"""local.engine <- a file that is dropped into S3 reaches the function's queue as its message."""

import json
from typing import Any

from showrunner.aws import queues
from showrunner.rights.messages import ReportDropped
from tests.contract import template


def test_a_dropped_file_becomes_the_message_that_the_function_reads(engine: Any) -> None:
    """The rule's pattern and transformer are the template's own."""
    rule = template.load(template.APPLICATION)["Resources"]["ReportDropped"]["Properties"]
    target = rule["Targets"][0]
    engine.client("s3").create_bucket(Bucket="drops")
    engine.client("s3").put_bucket_notification_configuration(
        Bucket="drops", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    url = engine.client("sqs").create_queue(QueueName="drops")["QueueUrl"]
    arn = engine.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = {
        **rule["EventPattern"],
        "detail": {**rule["EventPattern"]["detail"], "bucket": {"name": ["drops"]}},
    }
    engine.client("events").put_rule(Name="drops", EventPattern=json.dumps(pattern))
    engine.client("events").put_targets(
        Rule="drops",
        Targets=[{"Id": "q", "Arn": arn["QueueArn"], "InputTransformer": target["InputTransformer"]}],
    )
    keys = [
        "other/a.csv",
        "drops/Label/claim_report_Label_C (1).csv",
        "drops/Label/claim_report_Label_C (1).csv",
    ]
    for key in keys:
        engine.client("s3").put_object(Bucket="drops", Key=key, Body=b"four")

    found = []
    while len(found) < 2:
        answer = engine.client("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=10, MaxNumberOfMessages=10
        )
        assert answer.get("Messages"), "no message came in ten seconds"
        found += [queues.decode(each["Body"], [ReportDropped]) for each in answer["Messages"]]

    assert [(each.object_key, each.bytes) for each in found] == [(keys[1], 4)] * 2
    assert len({each.version for each in found}) == 2, "a file that is put twice is two drops"
