"""docs/cost.md is what the templates and prices come to."""

import re

import pytest

from local.stages import capacity, cost
from tests.contract import cloudwatch, template, transformed
from tests.contract.test_network import uses_database


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


def test_the_readme_says_what_cloudfront_and_waf_cost():
    readme = (cost.ROOT / "README.md").read_text(encoding="utf-8")
    fixed, million = sum(cost.edge(0).values()), sum(cost.edge(1_000_000).values())

    assert f"about {fixed:.0f} USD a month and {million - fixed:.0f} USD for a million requests" in readme


def test_the_rules_of_waf_that_are_paid_for_are_those_of_its_template():
    (acl,) = template.resources(template.load(template.EDGE), "AWS::WAFv2::WebACL").values()

    assert f"WAF: {len(acl['Rules'])} rules" in cost.edge(0)


def test_the_connections_on_paper_are_those_of_the_functions_with_a_database():
    functions = {**template.functions(), **template.functions(template.load(template.DATA))}
    counts = [
        template.in_stage(function.properties["ReservedConcurrentExecutions"], "prod")
        for name, function in functions.items()
        if uses_database(name)
    ]

    assert capacity.connections() == sum(counts)


def test_the_limit_that_is_reached_first_stands_on_top():
    limits = capacity.limits()

    assert [each.used for each in limits] == sorted((each.used for each in limits), reverse=True)
    assert limits[0].what == "renders on GPUs"
    assert 1 < limits[0].used < 2


def test_a_property_of_another_resource_is_not_taken():
    text = "  One:\n    Type: A\n\n  Two:\n    Properties:\n      MaxvCpus: 4 # four\n"

    assert capacity.number_of("Two", "MaxvCpus", text) == 4
    with pytest.raises(LookupError, match="One has no MaxvCpus"):
        capacity.number_of("One", "MaxvCpus", text)
