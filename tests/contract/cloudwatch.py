"""Evaluate the templates' alarms as CloudWatch does: names, all dimensions, periods, missing data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarm-evaluation
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.contract.template import Json

# Metrics Insights queries: one returns the largest sum of a group, one the least value of each group.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
LARGEST = re.compile(
    r'SELECT SUM\("(?P<metric>[^"]+)"\) FROM SCHEMA\("(?P<namespace>[^"]+)", (?P<group>\w+)\) '
    r"GROUP BY (?P=group) ORDER BY SUM\(\) DESC LIMIT 1"
)
LEAST = re.compile(
    r'SELECT MIN\("(?P<metric>\w+)"\) FROM SCHEMA\("(?P<namespace>\w+)", (?P<dimensions>[\w, ]+)\) '
    r"WHERE stage = '(?P<stage>[^']+)' GROUP BY (?P<group>[\w, ]+)"
)
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


class Point(NamedTuple):
    namespace: str
    metric: str
    dimensions: dict[str, str]
    """As the template writes values: the logical id that a Ref or GetAtt names, else the text."""
    value: float
    ago: float = 1
    """Seconds before the evaluation."""


class Unsupported(Exception):
    """An alarm that this evaluator can't judge: teach it."""


def state(alarm: Json, points: list[Point]) -> str:
    """ALARM, OK or INSUFFICIENT_DATA of an alarm (its properties) after these points and no others."""
    if query := _query(alarm, LEAST):
        return _state_of_groups(alarm, points, query)
    periods = int(alarm["EvaluationPeriods"])
    values = [_value(alarm, points, number) for number in range(periods)]
    missing = alarm.get("TreatMissingData", "missing")
    if all(value is None for value in values) and missing in ("missing", "ignore"):
        return "INSUFFICIENT_DATA"
    breaching = [
        missing == "breaching"
        if value is None
        else COMPARE[alarm["ComparisonOperator"]](value, float(alarm["Threshold"]))
        for value in values
    ]
    return "ALARM" if sum(breaching) >= int(alarm.get("DatapointsToAlarm", periods)) else "OK"


def _state_of_groups(alarm: Json, points: list[Point], query: re.Match[str]) -> str:
    """Return ALARM if any group is: each has a state of its own (its contributors).

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-alarms.html
    """
    [metric] = metrics(alarm)
    names = query["dimensions"].split(", ")
    assert {"stage", *query["group"].split(", ")} == set(names), "each group is one metric"
    groups = {
        tuple(sorted(point.dimensions.items()))
        for point in points
        if set(point.dimensions) == set(names) and point.dimensions["stage"] == query["stage"]
    }
    plain = {name: alarm[name] for name in alarm if name != "Metrics"} | {"Statistic": "Minimum"}
    states = {
        state(
            plain | metric | {"Dimensions": [{"Name": name, "Value": value} for name, value in group]}, points
        )
        for group in groups
    }
    return "ALARM" if "ALARM" in states else "OK"


def metrics(alarm: Json) -> list[Json]:
    """The metrics that an alarm looks at: Namespace, MetricName, Dimensions, Stat, Period."""
    if "Metrics" not in alarm:
        stat = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        return [
            {
                **{name: alarm[name] for name in ("Namespace", "Period")},
                "MetricName": text(alarm["MetricName"]),
                "Dimensions": alarm.get("Dimensions", []),
                "Stat": stat,
            }
        ]
    if query := _query(alarm, LEAST):
        named = {"Namespace": query["namespace"], "MetricName": query["metric"]}
        dimensions = [{"Name": each, "Value": ""} for each in query["dimensions"].split(", ")]
        period = alarm["Metrics"][0]["Period"]
        return [{**named, "Dimensions": dimensions, "Stat": "Minimum", "Period": period}]
    if query := _query(alarm, LARGEST):
        named = {"Namespace": query["namespace"], "MetricName": query["metric"], "Dimensions": []}
        return [{**named, "Stat": "Sum", "Period": alarm["Metrics"][0]["Period"], "Group": query["group"]}]
    stats = [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
    return [{**each["Metric"], "Stat": each["Stat"], "Period": each["Period"]} for each in stats]


def _value(alarm: Json, points: list[Point], number: int) -> float | None:
    """Of the `number`-th period before now; None without a datapoint."""
    looked_at = metrics(alarm)
    if _query(alarm, LARGEST):
        return _largest(looked_at[0], points, number)
    values = [_statistic(each, points, number) for each in looked_at]
    if "Metrics" not in alarm:
        return values[0]
    returned = [each for each in alarm["Metrics"] if each.get("ReturnData")]
    together = {"SUM(FILL(METRICS(), 0))": sum, "MAX(FILL(METRICS(), 0))": max}
    if len(returned) != 1 or returned[0].get("Expression") not in together:
        raise Unsupported(json.dumps(returned))
    # FILL gives a value only where at least one of the metrics has one.
    if all(value is None for value in values):
        return None
    return together[returned[0]["Expression"]](value or 0 for value in values)


def _query(alarm: Json, form: re.Pattern[str]) -> re.Match[str] | None:
    """Return the parts of the alarm's Metrics Insights query, None if it has none of this form."""
    found = alarm.get("Metrics", [])
    return form.fullmatch(text(found[0]["Expression"])) if len(found) == 1 else None


def _largest(metric: Json, points: list[Point], number: int) -> float | None:
    """Return the largest sum of a group. Only points with exactly the group's dimension are in the schema."""
    group = str(metric["Group"])
    named = {point.dimensions[group] for point in points if set(point.dimensions) == {group}}
    each = [
        _statistic({**metric, "Dimensions": [{"Name": group, "Value": value}]}, points, number)
        for value in named
    ]
    return max((value for value in each if value is not None), default=None)


def _statistic(metric: Json, points: list[Point], number: int) -> float | None:
    period = int(metric["Period"])
    wanted = {each["Name"]: dimension(each["Value"]) for each in metric["Dimensions"]}
    found = [
        point.value
        for point in points
        if (point.namespace, point.metric, point.dimensions)
        == (metric["Namespace"], metric["MetricName"], wanted)
        and number * period < point.ago <= (number + 1) * period
    ]
    if not found:
        return None
    stat = str(metric["Stat"])
    if stat.startswith("p"):
        return sorted(found)[max(0, math.ceil(len(found) * float(stat[1:]) / 100) - 1)]
    return float(
        {
            "Sum": sum,
            "Maximum": max,
            "Minimum": min,
            "Average": lambda each: sum(each) / len(each),
            "SampleCount": len,
        }[stat](found)
    )


def text(value: Any) -> str:
    """Return a name as the template writes it, parameters unresolved."""
    return str(value["Fn::Sub"] if isinstance(value, dict) else value)


def dimension(value: Any) -> str:
    if isinstance(value, dict):
        inner = value.get("Ref") or value.get("Fn::GetAtt")
        return str(inner[0] if isinstance(inner, list) else inner)
    return str(value)
