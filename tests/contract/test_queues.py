"""Queues and asynchronous invocations: no message is lost, and somebody is told."""

from showrunner.feed import callbacks
from tests.contract import template
from tests.contract.template import APPLICATION, FILES, Function, load, references, resources, walk


def queue_faults(each: dict) -> list[str]:
    """Return what is wrong with the queues of a template."""
    faults = []
    dead_letter = {
        name
        for inner in walk(each["Resources"])
        if isinstance(inner, dict)
        for key in ("DeadLetterConfig", "DeadLetterQueue", "RedrivePolicy")
        for name in references(inner.get(key))
    }
    queues = resources(each, "AWS::SQS::Queue")
    for name, queue in queues.items():
        if "RedrivePolicy" not in queue and name not in dead_letter:
            faults.append(f"{name} has no dead-letter queue and is none")
        if name in dead_letter and queue.get("MessageRetentionPeriod") != 1_209_600:
            faults.append(f"{name} is a dead-letter queue and doesn't keep its messages for 14 days")
    for function in template.functions(each).values():
        for event in (function.properties.get("Events") or {}).values():
            if event["Type"] == "SQS":
                faults += _reader_faults(function, event["Properties"], queues)
    return faults


def _reader_faults(function: Function, event: dict, queues: dict) -> list[str]:
    faults = []
    if "ReportBatchItemFailures" not in event.get("FunctionResponseTypes", ()):
        faults.append(f"{function.name} has no partial batch response")
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    early = [
        name
        for name in references(event["Queue"])
        if queues[name].get("VisibilityTimeout", 30) < 6 * function.properties["Timeout"]
    ]
    return faults + [f"{name} is visible again before six timeouts of {function.name}" for name in early]


def test_queues_have_a_dead_letter_queue_partial_responses_and_enough_time(functions):
    assert [fault for path in FILES for fault in queue_faults(load(path))] == []


def test_a_queue_that_lacks_one_of_them_is_detected():
    broken = template.parse("""
        Resources:
          Notices: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 100}}
          Dead: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 60}}
          Other: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn}}}
          NoticesFunction:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: functions/notices
              Timeout: 30
              Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Notices.Arn}}}
    """)

    assert queue_faults(broken) == [
        "Notices has no dead-letter queue and is none",
        "Dead is a dead-letter queue and doesn't keep its messages for 14 days",
        "notices has no partial batch response",
        "Notices is visible again before six timeouts of notices",
    ]


def test_every_dead_letter_queue_has_an_alarm():
    application = load(APPLICATION)
    dead = {
        name
        for queue in resources(application, "AWS::SQS::Queue").values()
        for name in references(queue.get("RedrivePolicy"))
    }
    alarms = resources(application, "AWS::CloudWatch::Alarm").values()
    watched = {
        name
        for alarm in alarms
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        for name in references(alarm["Dimensions"])
    }

    assert dead
    assert sorted(dead - watched) == []


def test_an_unsubscription_is_repeated_until_its_callback_is_forgotten():
    """The schedule repeats all other requests to the hub, but not this one."""
    queue = resources(load(APPLICATION), "AWS::SQS::Queue")["HubRequests"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"] > callbacks.REMOVED_SECONDS


def test_every_asynchronous_invocation_has_a_failure_destination(functions):
    """An event of a rule or schedule that no retry delivered must be stored."""
    for name, function in functions.items():
        for kind, event in (function.properties.get("Events") or {}).items():
            if event["Type"] in ("EventBridgeRule", "Schedule", "ScheduleV2", "S3", "SNS"):
                assert "DeadLetterConfig" in event["Properties"], f"{name}: {kind} has no DeadLetterConfig"
