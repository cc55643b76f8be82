"""Every alarm watches a metric that is really sent, goes off only when it should, and has a runbook."""

import json
import re

import pytest

from tests.contract import cloudwatch, template, transformed
from tests.contract.cloudwatch import Point
from tests.contract.code import ROOT
from tests.contract.template import Json, references

RUNBOOKS = ROOT / "docs" / "runbooks"
HOUR, DAY = 3600, 86_400

# Metrics with the dimensions that AWS sends them by, from the page of each service. Only sets of dimensions
# that an alarm may name as a whole.
PUBLISHED: dict[str, dict[str, list[set[str]]]] = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    "AWS/States": {
        name: [{"StateMachineArn"}]
        for name in (
            "ExecutionsStarted",
            "ExecutionsSucceeded",
            "ExecutionsFailed",
            "ExecutionsTimedOut",
            "ExecutionTime",
        )
    },
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible": [{"QueueName"}],
        "ApproximateAgeOfOldestMessage": [{"QueueName"}],
    },
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": {
        name: [{"FunctionName"}, {"FunctionName", "Resource"}]
        for name in ("Errors", "Throttles", "Invocations", "Duration")
    },
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html and
    # .../apigateway-websocket-api-logging.html
    "AWS/ApiGateway": {
        name: [{"ApiId"}, {"ApiId", "Stage"}]
        for name in ("5xx", "4xx", "Latency", "IntegrationError", "ExecutionError")
    },
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    "AWS/Events": {"MatchedEvents": [{"RuleName"}, {"EventBusName", "RuleName"}]},
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
    "AWS/EC2": {"StatusCheckFailed": [{"InstanceId"}]},
    # https://docs.aws.amazon.com/vpc/latest/userguide/metrics-dimensions-nat-gateway.html
    "AWS/NATGateway": {"ErrorPortAllocation": [{"NatGatewayId"}]},
    # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
    "AWS/RDS": {
        name: [{"DBClusterIdentifier"}, {"DBInstanceIdentifier"}]
        for name in ("ACUUtilization", "DatabaseConnections")
    },
}
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/monitor_estimated_charges_with_cloudwatch.html
PUBLISHED["AWS/Billing"] = {"EstimatedCharges": [{"Currency"}]}
# Ours: metric, and who sends it with which dimensions (telemetry.metrics).
OURS = {
    "LeasesEnding": ("layers/showrunner/showrunner/feed/schedules.py", {"service", "function"}),
    "ReportStreamsStanding": ("layers/showrunner/showrunner/rights/stream_runs.py", {"service", "function"}),
    "KeysOverdue": ("layers/showrunner/showrunner/keys/overdue.py", {"service", "function"}),
    "IngestionKeysOverdue": ("functions/retention/app.py", {"service", "function"}),
    "IngestionKeysExpiring": ("functions/retention/app.py", {"service", "function"}),
    "KeysExpiring": ("layers/showrunner/showrunner/keys/overdue.py", {"service", "function"}),
    "VideoCostUsd": ("functions/finish/app.py", {"service", "function"}),
    **{
        name: ("layers/showrunner/showrunner/metrics/fetching.py", {"service", "function", "platform"})
        for name in ("FetchFailures", "FetchDuration", "FetchCredentialsRejected")
    },
    "QuotaLeft": ("layers/showrunner/showrunner/metrics/collection.py", {"platform", "bucket", "stage"}),
    "ChannelReportsStanding": (
        "layers/showrunner/showrunner/metrics/item_collection.py",
        {"service", "function"},
    ),
    "AnswersNotLoaded": ("layers/showrunner/showrunner/metrics/replay.py", {"service", "function"}),
}


# Metrics that a filter makes of log lines; each name has the stage.
FILTERED = ("Showrunner/Access", "Showrunner/Keys")


def lambda_(name: str, function: str, value: float, ago: float = 1) -> Point:
    return Point("AWS/Lambda", name, {"FunctionName": function}, value, ago)


def fetch(name: str, function: str, values: list[float]) -> list[Point]:
    """Return points of a metric of metrics/fetching.py or metrics/collection.py."""
    return [
        Point("Showrunner", name, {"service": "showrunner", "function": function}, value) for value in values
    ]


def asked(name: str, function: str, platform: str, values: list[float]) -> list[Point]:
    """Return points of a metric about a platform's answers."""
    return [
        point._replace(dimensions=point.dimensions | {"platform": platform})
        for point in fetch(name, function, values)
    ]


def quota_left(platform: str, bucket: str, value: float, stage: str = "${Stage}") -> list[Point]:
    dimensions = {"platform": platform, "bucket": bucket, "stage": stage}
    return [Point("Showrunner", "QuotaLeft", dimensions, value)]


def queue(name: str, metric: str, value: float) -> Point:
    return Point("AWS/SQS", metric, {"QueueName": name}, value)


def age(name: str, seconds: float) -> Point:
    return queue(name, "ApproximateAgeOfOldestMessage", seconds)


def waiting(name: str, count: float) -> Point:
    return queue(name, "ApproximateNumberOfMessagesVisible", count)


def api(name: str, metric: str, values: list[float], every: float = 1) -> list[Point]:
    return [
        Point("AWS/ApiGateway", metric, {"ApiId": name}, value, 1 + number * every)
        for number, value in enumerate(values)
    ]


def machine(metric: str, values: list[float]) -> list[Point]:
    return [
        Point("AWS/States", metric, {"StateMachineArn": "ProductionMachine"}, value, 60 + 60 * number)
        for number, value in enumerate(values)
    ]


def nightly(metric: str, function: str, value: float) -> Point:
    return Point("Showrunner", metric, {"service": "showrunner", "function": function}, value, HOUR)


def found_by_hour(metric: str, function: str, values: list[float]) -> list[Point]:
    """Return points of hourly runs, the newest first."""
    return [
        Point("Showrunner", metric, {"service": "showrunner", "function": function}, value, 60 + HOUR * ago)
        for ago, value in enumerate(values)
    ]


def reads(secret: str, count: int) -> list[Point]:
    return [
        Point("Showrunner/Keys", "KeyReads-${Stage}", {"parameter": secret}, 1, 1 + number)
        for number in range(count)
    ]


def database(metric: str, values: list[float]) -> list[Point]:
    return [
        Point("AWS/RDS", metric, {"DBClusterIdentifier": "Database"}, value, 60 + 300 * number)
        for number, value in enumerate(values)
    ]


# Executions that end badly, by each metric that counts some of them.
FAILED = ("ExecutionsFailed", "ExecutionsTimedOut")


def ended(machine_id: str, *metrics: str, every: float = 10) -> list[Point]:
    """Return points of executions of a machine that ended so, one after another."""
    return [
        Point("AWS/States", metric, {"StateMachineArn": machine_id}, 1, 10 + every * number)
        for number, metric in enumerate(metrics)
    ]


# For each alarm: what sets it off, and what comes close and doesn't.
TRIGGERS: dict[str, tuple[list[Point], list[Point]]] = {
    "ProductionsFail": (machine("ExecutionsFailed", [1, 1, 1]), machine("ExecutionsFailed", [1, 1])),
    "PublicationsFail": (
        ended("PublicationMachine", *FAILED, "ExecutionsFailed"),
        ended("PublicationMachine", *FAILED),
    ),
    "CollectionsFail": (
        ended("MetricsMachine", *FAILED, every=HOUR),
        ended("MetricsMachine", "ExecutionsTimedOut"),
    ),
    "ChangesFail": (ended("ChangesMachine", "ExecutionsTimedOut"), machine("ExecutionsFailed", [1])),
    "StreamsFail": (ended("StreamsMachine", "ExecutionsTimedOut"), machine("ExecutionsFailed", [1])),
    "ReportStreamsStand": (
        [nightly("ReportStreamsStanding", "PublishFunction", 1)],
        [nightly("ReportStreamsStanding", "PublishFunction", 0)],
    ),
    "KeyRotationsFail": (ended("RotationMachine", "ExecutionsTimedOut"), machine("ExecutionsFailed", [1])),
    "BackupsFail": (ended("BackupMachine", "ExecutionsTimedOut"), machine("ExecutionsFailed", [1])),
    "BackupsStand": (
        [Point("AWS/States", "ExecutionsSucceeded", {"StateMachineArn": "BackupMachine"}, 1, DAY + 1)],
        [Point("AWS/States", "ExecutionsSucceeded", {"StateMachineArn": "BackupMachine"}, 1, DAY - 1)],
    ),
    "KeysOverdue": (
        [nightly("KeysOverdue", "KeysFunction", 0), nightly("IngestionKeysOverdue", "RetentionFunction", 1)],
        [nightly("KeysOverdue", "KeysFunction", 0), nightly("IngestionKeysOverdue", "RetentionFunction", 0)],
    ),
    "KeysExpire": (
        [
            nightly("KeysExpiring", "KeysFunction", 1),
            nightly("IngestionKeysExpiring", "RetentionFunction", 0),
        ],
        [
            nightly("KeysExpiring", "KeysFunction", 0),
            nightly("IngestionKeysExpiring", "RetentionFunction", 0),
        ],
    ),
    "KeysReadOften": (reads("openai/api_key", 101), reads("openai/api_key", 100) + reads("auth/jwks", 100)),
    "KeysHaveNewReaders": (
        [Point("Showrunner/Keys", "NewKeyReaders-${Stage}", {}, 1)],
        [Point("Showrunner/Keys", "NewKeyReaders-${Stage}", {}, 1, 301)],
    ),
    "ProductionsTimeOut": (machine("ExecutionsTimedOut", [1]), machine("ExecutionsFailed", [1])),
    "RendersFail": (
        [
            Point("AWS/Events", "MatchedEvents", {"RuleName": "RenderJobFailed"}, 1, 10 + number)
            for number in range(3)
        ],
        [
            Point("AWS/Events", "MatchedEvents", {"RuleName": "RenderJobFailed"}, 1, 10 + number)
            for number in range(2)
        ],
    ),
    "GpuEncodersFail": (
        [Point("AWS/Events", "MatchedEvents", {"RuleName": "GpuEncoderFailed"}, 1, 10)],
        [Point("AWS/Events", "MatchedEvents", {"RuleName": "RenderJobFailed"}, 1, 10)],
    ),
    "EventsUndelivered": ([waiting("UndeliveredEvents", 1)], [waiting("UndeliveredEvents", 0)]),
    "NotificationsSetAside": ([waiting("NotificationsDead", 1)], [waiting("Notifications", 500)]),
    "HubRequestsSetAside": ([waiting("HubRequestsDead", 1)], [waiting("HubRequests", 500)]),
    "PollRequestsSetAside": ([waiting("PollRequestsDead", 1)], [waiting("PollRequests", 500)]),
    "ReportDropsSetAside": ([waiting("ReportDropsDead", 1)], [waiting("ReportDrops", 500)]),
    "ReportDropsWait": ([age("ReportDrops", 21_600)], [age("ReportDrops", 21_599)]),
    "NotificationsWait": ([age("Notifications", 601)], [age("Notifications", 599)]),
    "HubRequestsWait": ([age("HubRequests", HOUR)], [age("HubRequests", HOUR - 1)]),
    "PollRequestsWait": ([age("PollRequests", HOUR)], [age("PollRequests", HOUR - 1)]),
    "LeasesEnd": (
        [
            Point(
                "Showrunner", "LeasesEnding", {"service": "showrunner", "function": "FeedScheduleFunction"}, 1
            )
        ],
        [
            Point(
                "Showrunner", "LeasesEnding", {"service": "showrunner", "function": "FeedScheduleFunction"}, 0
            )
        ],
    ),
    "PlatformErrors": (api("PlatformApi", "5xx", [1] * 11), api("PlatformApi", "5xx", [1] * 10)),
    "ReleaseFails": (
        [Point("Showrunner/Access", "ServerErrors-${Stage}", {}, 1, 1 + number) for number in range(11)],
        [Point("Showrunner/Access", "ServerErrors-${Stage}", {}, 1, 1 + number) for number in range(10)]
        + [Point("Showrunner/Access", "ServerErrors-${Stage}", {}, 1, 61)],
    ),
    "IngestionErrors": (
        api("IngestionApi", "5xx", [1] * 11),
        api("IngestionApi", "5xx", [1] * 10) + api("IngestionApi", "4xx", [1] * 99),
    ),
    "LiveErrors": (
        api("LiveApi", "IntegrationError", [1] * 11),
        api("LiveApi", "IntegrationError", [1] * 10),
    ),
    # Six of a hundred slow in each of three periods; then only in two of them.
    "PlatformSlow": (
        [
            point
            for period in range(3)
            for point in api("PlatformApi", "Latency", [80] * 94 + [3100] * 6, 1)
            for point in [point._replace(ago=point.ago + 300 * period)]
        ],
        [
            point
            for period in range(2)
            for point in api("PlatformApi", "Latency", [80] * 94 + [3100] * 6, 1)
            for point in [point._replace(ago=point.ago + 300 * period)]
        ],
    ),
    "ApiFunctionsFail": (
        [lambda_("Errors", "VideosFunction", 3), lambda_("Errors", "AccountsFunction", 2)],
        [lambda_("Errors", "VideosFunction", 4)],
    ),
    "WorkersFail": (
        [lambda_("Errors", "FeedIntakeFunction", 5)],
        [lambda_("Errors", "FeedIntakeFunction", 5, 301)],
    ),
    "StepsFail": (
        [lambda_("Errors", "ScriptFunction", 15), lambda_("Errors", "VoiceFunction", 5)],
        [lambda_("Errors", "ScriptFunction", 19)],
    ),
    "CollectionStepsFail": (
        [lambda_("Errors", "YoutubeFunction", 15), lambda_("Errors", "LoadFunction", 5)],
        [lambda_("Errors", "YoutubeFunction", 19)],
    ),
    **{
        f"{name}FetchesFail": (
            asked("FetchFailures", f"{name}Function", name.lower(), [0] * 18 + [100]),
            asked("FetchFailures", f"{name}Function", name.lower(), [0] * 19 + [100]),
        )
        for name in ("Youtube", "Spotify")
    },
    **{
        f"{name}FetchesSlow": (
            asked("FetchDuration", f"{name}Function", name.lower(), [200, 9_900]),
            asked("FetchDuration", f"{name}Function", name.lower(), [200, 9_800]),
        )
        for name in ("Youtube", "Spotify")
    },
    # TikTok's few accounts don't hide behind the many of Instagram.
    "SocialFetchesFail": (
        asked("FetchFailures", "SocialFunction", "instagram", [0] * 100)
        + asked("FetchFailures", "SocialFunction", "tiktok", [100, 0]),
        asked("FetchFailures", "SocialFunction", "instagram", [0] * 19 + [100])
        + asked("FetchFailures", "SocialFunction", "youtube", [0] * 19 + [100]),
    ),
    "SocialFetchesSlow": (
        asked("FetchDuration", "SocialFunction", "instagram", [200] * 100)
        + asked("FetchDuration", "AirtableFunction", "airtable", [5_001]),
        asked("FetchDuration", "SocialFunction", "instagram", [4_000])
        + asked("FetchDuration", "SocialFunction", "tiktok", [4_000]),
    ),
    "FetchCredentialsRejected": (
        asked("FetchCredentialsRejected", "SocialFunction", "instagram", [1]),
        asked("FetchCredentialsRejected", "SocialFunction", "instagram", [0]),
    ),
    # A quota of another stage is no concern of this one.
    "FetchQuotaLow": (
        quota_left("youtube", "search", 9) + quota_left("youtube", "general", 80),
        quota_left("youtube", "search", 11) + quota_left("airtable", "calls", 9, stage="other"),
    ),
    "ChannelReportsStand": (
        fetch("ChannelReportsStanding", "CollectFunction", [2, 1]),
        # It was mended within the day.
        fetch("ChannelReportsStanding", "CollectFunction", [2, 0]),
    ),
    "AnswersNotLoaded": (
        found_by_hour("AnswersNotLoaded", "CollectFunction", [1, 1, 1]),
        # Loaded by the run that found it.
        found_by_hour("AnswersNotLoaded", "CollectFunction", [0, 3, 3]),
    ),
    "SchedulesFail": (
        [lambda_("Errors", "RetentionFunction", 1)],
        [lambda_("Errors", "RetentionFunction", 0)],
    ),
    "ApiFunctionsThrottled": (
        [lambda_("Throttles", "VideosFunction", 10)],
        [lambda_("Throttles", "VoiceFunction", 500)],
    ),
    "WorkersThrottled": (
        [lambda_("Throttles", "FeedIntakeFunction", 50)],
        [lambda_("Throttles", "FeedIntakeFunction", 49)],
    ),
    "SweepStands": (
        [],
        [lambda_("Invocations", "SweepFunction", 5, 10), lambda_("Invocations", "SweepFunction", 5, 310)],
    ),
    "ChannelsStand": ([], [lambda_("Invocations", "ChannelScheduleFunction", 1, 10)]),
    "SubscriptionsStand": ([], [lambda_("Invocations", "FeedScheduleFunction", 1, 10)]),
    "RetentionStands": (
        [lambda_("Invocations", "RetentionFunction", 1, DAY + 1)],
        [lambda_("Invocations", "RetentionFunction", 1, DAY - 1)],
    ),
    "NatFails": (
        [
            Point("AWS/EC2", "StatusCheckFailed", {"InstanceId": "NatInstance"}, 1, 1 + 60 * number)
            for number in range(3)
        ],
        [
            Point("AWS/EC2", "StatusCheckFailed", {"InstanceId": "NatInstance"}, number == 0, 1 + 60 * number)
            for number in range(3)
        ],
    ),
    "NatGatewayFails": (
        [Point("AWS/NATGateway", "ErrorPortAllocation", {"NatGatewayId": "NatGateway"}, 1)],
        [Point("AWS/NATGateway", "ErrorPortAllocation", {"NatGatewayId": "NatGateway"}, 0)],
    ),
    "DatabaseAtItsLimit": (
        database("ACUUtilization", [95, 92, 91]),
        database("ACUUtilization", [100, 60, 100]),
    ),
    "DatabaseConnectionsFull": (
        database("DatabaseConnections", [190, 185]),
        database("DatabaseConnections", [190, 120]),
    ),
}
# What silence means: a machine or a schedule that says nothing is gone; all others say nothing while nothing
# happens.
SILENCE = dict.fromkeys(
    (
        *("SweepStands", "ChannelsStand", "SubscriptionsStand", "RetentionStands", "BackupsStand"),
        "NatFails",
    ),
    "ALARM",
)
# Functions whose throttling is planned: the machine or the queue waits for them.
WAITED_FOR = {
    "AirtableFunction",
    "BackupFunction",
    "CollectFunction",
    "KeyAuditFunction",
    "LoadFunction",
    "PrepareFunction",
    "PublishFunction",
    "RecordFunction",
    "ReportsFunction",
    "ScriptFunction",
    "SocialFunction",
    "SpotifyFunction",
    "TimelineFunction",
    "UploadFunction",
    "VisualsFunction",
    "VoiceFunction",
    "YoutubeFunction",
}


def alarms() -> dict[str, Json]:
    return {each.id: each.properties for each in transformed.of_type("AWS::CloudWatch::Alarm").values()}


def test_every_alarm_looks_at_a_metric_that_is_sent_with_these_dimensions():
    for name, alarm in alarms().items():
        for metric in cloudwatch.metrics(alarm):
            named = {each["Name"] for each in metric["Dimensions"]}
            if metric["Namespace"] in FILTERED:
                sent = filtered()[metric["MetricName"]]["MetricTransformations"][0]
                assert sent["MetricNamespace"] == metric["Namespace"], name
                grouped = {metric["Group"]} if "Group" in metric else named
                assert grouped == {each["Key"] for each in sent.get("Dimensions", ())}, name
            elif metric["Namespace"] == "Showrunner":
                sender, dimensions = OURS[metric["MetricName"]]
                assert named == dimensions, name
                assert f'"{metric["MetricName"]}"' in (ROOT / sender).read_text(encoding="utf-8"), name
            else:
                assert named in PUBLISHED[metric["Namespace"]][metric["MetricName"]], name


def filtered() -> dict[str, Json]:
    """Return the metric filters of the templates by the metric that each sends."""
    return {
        cloudwatch.text(sent["MetricName"]): each.properties
        for each in transformed.of_type("AWS::Logs::MetricFilter").values()
        for sent in each.properties["MetricTransformations"]
        if sent["MetricNamespace"] in FILTERED
    }


def test_an_execution_of_any_machine_that_fails_or_takes_too_long_is_told():
    machines = {each.id for each in transformed.of_type("AWS::StepFunctions::StateMachine").values()}
    watched = {
        (cloudwatch.dimension(metric["Dimensions"][0]["Value"]), metric["MetricName"])
        for alarm in alarms().values()
        for metric in cloudwatch.metrics(alarm)
        if metric["Namespace"] == "AWS/States"
    }

    assert len(machines) == 7
    assert {(each, metric) for each in machines for metric in FAILED} - watched == set()


def test_server_errors_are_counted_in_the_logs_of_every_api_and_in_no_other():
    found = filtered()["ServerErrors-${Stage}"]
    apis = [each for each in transformed.resources() if each.type == "AWS::ApiGatewayV2::Stage"]

    assert found["FilterPattern"] == '{ $.status = "5*" }'
    assert len(apis) == 3
    for api in apis:
        assert references(api.properties["AccessLogSettings"]["DestinationArn"]) == {"AccessLogs"}
        assert '"status":"$context.status"' in api.properties["AccessLogSettings"]["Format"]
    assert references(found["LogGroupName"]) == {"AccessLogs"}


def test_reads_and_new_readers_of_keys_are_counted_from_the_lines_that_the_code_writes():
    code = {
        "KeyReads-${Stage}": ("secret read", "ssm.py"),
        "NewKeyReaders-${Stage}": ("a secret has a new reader", "secret_uses.py"),
    }
    for metric, (message, file) in code.items():
        found = filtered()[metric]
        assert found["FilterPattern"] == f'{{ $.message = "{message}" }}'
        assert references(found["LogGroupName"]) == {"FunctionLogs"}
        text = (ROOT / "layers/showrunner/showrunner/aws" / file).read_text(encoding="utf-8")
        assert f'"message": "{message}"' in text
        assert '"parameter": name' in text


def test_every_alarm_names_a_resource_of_its_template():
    ids = {each.id for each in transformed.resources()}
    for name, alarm in alarms().items():
        for metric in cloudwatch.metrics(alarm):
            if metric["Namespace"] in FILTERED:
                continue  # its metric filter names the log group, and its name has the stage
            if any(each["Name"] == "stage" for each in metric["Dimensions"]):
                continue  # a query that names the stage
            named = {value for each in metric["Dimensions"] for value in references(each["Value"])}
            assert named, name
            assert named <= ids, name


@pytest.mark.parametrize("name", sorted(TRIGGERS))
def test_an_alarm_goes_off_and_stays_silent(name):
    alarm = alarms()[name]
    sets_off, comes_close = TRIGGERS[name]

    assert cloudwatch.state(alarm, sets_off) == "ALARM"
    assert cloudwatch.state(alarm, comes_close) == "OK"
    assert cloudwatch.state(alarm, []) == SILENCE.get(name, "OK")


def test_every_alarm_is_triggered_above_and_has_a_runbook():
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}

    assert sorted(alarms()) == sorted(TRIGGERS)
    assert sorted(alarms()) == sorted(pages)
    for name, alarm in alarms().items():
        assert alarm["AlarmDescription"].endswith(f"docs/runbooks/{name}.md"), (
            "whoever gets the mail finds the page"
        )
        assert alarm["OKActions"] == alarm["AlarmActions"], f"{name}: nobody would hear that it is over"


def test_another_dimension_or_an_older_point_sets_nothing_off():
    alarm = alarms()["NotificationsWait"]

    assert cloudwatch.state(alarm, [age("HubRequests", 9999)]) == "OK"
    assert cloudwatch.state(alarm, [age("Notifications", 9999)._replace(ago=301)]) == "OK"


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_is_watched_once(metric):
    watched = [
        cloudwatch.dimension(dimension["Value"])
        for alarm in alarms().values()
        for looked_at in cloudwatch.metrics(alarm)
        if (looked_at["Namespace"], looked_at["MetricName"]) == ("AWS/Lambda", metric)
        for dimension in looked_at["Dimensions"]
    ]
    functions = {function.id for function in template.functions(template.load(template.APPLICATION)).values()}

    assert len(watched) == len(set(watched))
    assert set(watched) == functions - (WAITED_FOR if metric == "Throttles" else set())


def test_no_alarm_on_an_expression_looks_at_more_metrics_than_it_may():
    """AWS's limit is ten.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
    """
    assert {
        name: len(cloudwatch.metrics(alarm))
        for name, alarm in alarms().items()
        if len(cloudwatch.metrics(alarm)) > 10
    } == {}


# ---------------------------------------------------------------- The dashboard


def shown() -> list[tuple[str, str, dict[str, str]]]:
    """Yield (namespace, metric, dimensions) of each line of the dashboard, in their long form."""
    (dashboard,) = transformed.of_type("AWS::CloudWatch::Dashboard").values()
    found = []
    for widget in json.loads(dashboard.properties["DashboardBody"]["Fn::Sub"])["widgets"]:
        before: list[str] = []
        for row in widget["properties"].get("metrics", []):
            words = [word for word in row if isinstance(word, str)]
            if words == ["..."]:
                words = before
            words = [before[place] if word == "." else word for place, word in enumerate(words)]
            found.append((words[0], words[1], dict(zip(words[2::2], words[3::2], strict=True))))
            before = words
    return found


def test_the_dashboard_shows_metrics_that_are_sent_of_resources_that_are_there():
    ids = {each.id for each in transformed.resources()}
    assert len(shown()) > 20
    for namespace, metric, dimensions in shown():
        sets = [OURS[metric][1]] if namespace == "Showrunner" else PUBLISHED[namespace][metric]
        assert set(dimensions) in sets, metric
        named = {
            name.partition(".")[0]
            for value in dimensions.values()
            for name in re.findall(r"\$\{([\w.]+)\}", value)
        }
        assert named <= ids, metric


def test_every_saved_query_asks_a_group_of_the_template():
    queries = transformed.of_type("AWS::Logs::QueryDefinition")
    groups = transformed.of_type("AWS::Logs::LogGroup")
    assert len(queries) >= 4
    for name, query in queries.items():
        assert references(query.properties["LogGroupNames"]) <= groups.keys(), name
        assert re.search(r"\| (stats|sort|limit) ", query.properties["QueryString"]), name


# ---------------------------------------------------------------- Budgets of what AWS allows


def test_both_stacks_stay_far_from_the_greatest_number_of_resources():
    """500 a stack: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.

    The rest is for what is to come.
    """
    counts = {path.name: len(transformed.stack(path)["Resources"]) for path in template.FILES}

    assert {name: count for name, count in counts.items() if count >= 450} == {}


def test_both_templates_and_their_outputs_fit():
    """A megabyte in S3, 200 parameters and outputs; the same page. A transformed template is what counts."""
    for path in template.FILES:
        document = transformed.stack(path)
        assert len(json.dumps(document)) < 900_000, path.name
        assert len(document["Parameters"]) < 180, path.name
        assert len(document.get("Outputs", {})) < 180, path.name


def test_what_a_stage_reserves_fits_beside_another_stage_into_the_quota_that_is_asked_for():
    """The limit is 1,000 executions, the first increase AWS grants without questions (README, step 6)."""
    reserved = [
        function.properties.get("ReservedConcurrentExecutions") for function in template.functions().values()
    ]
    total = sum(template.largest(count) for count in reserved if count)

    assert 2 * total + 100 <= 1000
