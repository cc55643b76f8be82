"""docs/cost.md is what the templates and prices come to."""

import re

from local.stages import cost
from tests.contract import cloudwatch, transformed


def test_the_page_is_the_computed_one():
    assert cost.FILE.read_text(encoding="utf-8") == cost.text(), "make costs writes it anew"


def test_the_metrics_that_alarms_are_paid_for_are_those_of_the_templates():
    alarms = transformed.of_type("AWS::CloudWatch::Alarm").values()

    # One of the two for a way out is there.
    assert cost.alarm_metrics() == sum(len(cloudwatch.metrics(each.properties)) for each in alarms) - 1


def test_the_readme_says_the_same():
    readme = (cost.ROOT / "README.md").read_text(encoding="utf-8")
    off, on = (round(sum(cost.idle(schedules=schedules).values())) for schedules in (False, True))

    assert re.search(rf"about {off} USD with the schedules off", readme)
    assert re.search(rf"about {on} USD with them on", readme)
