"""Database, VPC and connections: who uses them, and that they suffice."""

import pytest

from tests.contract import code
from tests.contract.template import APPLICATION, DATA, in_stage, load, references, resources

GIBIBYTE = 2**30


# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.max-connections
BYTES_A_CONNECTION = 9_531_392


MOST_CONNECTIONS = 5_000


MOST_CONNECTIONS_OF_A_PAUSING_CLUSTER = 2_000


# Share of max_connections. The rest is for the superuser's reserve, a person with psql, and environments that
# Lambda is replacing while sessions of the old ones have not ended (db.IDLE_SESSION_MS).
SHARE_OF_CONNECTIONS = 0.75


def uses_database(function: str) -> bool:
    return "showrunner.database.db" in code.closure(code.app(function))


def test_functions_are_in_the_vpc_exactly_when_they_use_the_database(functions):
    for name, function in functions.items():
        assert ("VpcConfig" in function.properties) == uses_database(name), name
        assert ("DATABASE_HOST" in function.variables) == uses_database(name), name


# Routes whose caller waits for a platform, with a timeout and a breaker; and modules that only parse (the hub
# function uses their client).
WAITS_OUTSIDE = {
    "feed": {"showrunner.platforms.youtube"},
    "accounts": {"showrunner.platforms.google", "showrunner.platforms.youtube"},
    "cms": {
        "showrunner.platforms.content_id",
        "showrunner.platforms.google",
        "showrunner.platforms.google_lists",
    },
    # A person connects an artist's channel, and chooses it.
    "artists": {
        "showrunner.platforms.google",
        "showrunner.platforms.youtube",
        "showrunner.platforms.youtube_analytics",
        "showrunner.platforms.instagram",
        "showrunner.platforms.tiktok",
    },
}


READS = {
    "showrunner.platforms.http",
    "showrunner.platforms.credentials",
    "showrunner.platforms.websub",
    "showrunner.platforms.instagram_statistics",
    "showrunner.platforms.spotify_items",
    "showrunner.platforms.spotify_statistics",
    "showrunner.platforms.tiktok_statistics",
    "showrunner.platforms.youtube_channel_reports",
    "showrunner.platforms.youtube_errors",
    "showrunner.platforms.youtube_items",
    "showrunner.platforms.youtube_reports",
    "showrunner.platforms.youtube_statistics",
}


def test_functions_that_use_the_database_call_no_platform(functions):
    for name in filter(uses_database, functions):
        platforms = {
            module for module in code.closure(code.app(name)) if module.startswith("showrunner.platforms.")
        }
        assert platforms - READS - WAITS_OUTSIDE.get(name, set()) == set(), name


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_database_functions_have_bounded_concurrency_that_fits_the_connections(functions, stage):
    """Each environment of such a function uses one connection."""
    counts = {
        name: function.properties.get("ReservedConcurrentExecutions")
        for name, function in functions.items()
        if uses_database(name)
    }
    assert [name for name, count in counts.items() if not count] == []

    used = sum(in_stage(count, stage) for count in counts.values())
    assert used <= SHARE_OF_CONNECTIONS * max_connections(stage)


def max_connections(stage: str) -> int:
    """Return the stage's max_connections, which Aurora derives from the maximum capacity."""
    scaling = resources(load(DATA), "AWS::RDS::DBCluster")["Database"]["ServerlessV2ScalingConfiguration"]
    units = in_stage(scaling["MaxCapacity"], stage)
    found = min(MOST_CONNECTIONS, units * 2 * GIBIBYTE // BYTES_A_CONNECTION)
    # A cluster with a least capacity of 0.5 or less; every stage may be set to it later.
    return min(found, MOST_CONNECTIONS_OF_A_PAUSING_CLUSTER)


def test_the_voice_functions_concurrency_matches_the_elevenlabs_plan(functions):
    assert functions["voice"].properties["ReservedConcurrentExecutions"] == {"Ref": "SpeechConcurrency"}


def test_gpu_instances_can_reach_the_services_that_start_them():
    """An instance in a public subnet without NAT needs a public address; Fargate jobs ask for their own."""
    data, application = load(DATA), load(APPLICATION)
    public = references(data["Outputs"]["PublicSubnets"]["Value"])
    subnets = resources(data, "AWS::EC2::Subnet")
    definitions = resources(application, "AWS::Batch::JobDefinition")

    assert public
    assert {name for name in public if not subnets[name].get("MapPublicIpOnLaunch")} == set()
    for definition in definitions.values():
        if definition["PlatformCapabilities"] == ["FARGATE"]:
            assert definition["ContainerProperties"]["NetworkConfiguration"] == {"AssignPublicIp": "ENABLED"}
