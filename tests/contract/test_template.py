"""template.yaml and template.data.yaml agree with functions/, events/ and tests/."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from showrunner.feed import callbacks
from tests.conftest import PREFIXES
from tests.contract import code, template
from tests.contract.code import FUNCTIONS, ROOT
from tests.contract.template import APPLICATION, DATA, FILES, Function, listed, load, references, resources, walk

EVENTS = ROOT / "events"
# `make run` turns it into a request; it is not an event of a function.
BRIEF = EVENTS / "brief.json"

# Settings that the code reads and no template sets, each with the reason.
GIVEN_ELSEWHERE = {
    "RATE_LIMIT_FACTOR": "only tests and load runs raise the limits",
    "BCRYPT_COST": "only tests lower the cost of a password",
    "VERSION": "until a release sets it, the code's own number serves",
}
# Set by Lambda: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime; the SDKs' endpoint is only set locally.
GIVEN_BY_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"}
# Set by a template, read by a library.
READ_BY_LIBRARIES = {"POWERTOOLS_LOG_LEVEL": "aws-lambda-powertools"}
# IAM's name of a service, where boto3's differs.
IAM_SERVICE = {"stepfunctions": "states"}
# The actions that a call needs, where they are not the action of the same name.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (and its like for each operation, section Permissions)
IAM_ACTIONS = {
    ("sqs", "send_message_batch"): {"sqs:SendMessage"},
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html
    ("apigatewaymanagementapi", "post_to_connection"): {"execute-api:ManageConnections"},
    ("apigatewaymanagementapi", "delete_connection"): {"execute-api:ManageConnections"},
    ("s3", "head_object"): {"s3:GetObject"},
    ("s3", "upload_file"): {"s3:PutObject"},
    ("s3", "upload_fileobj"): {"s3:PutObject"},
    ("s3", "download_file"): {"s3:GetObject"},
    ("s3", "download_fileobj"): {"s3:GetObject"},
    ("s3", "delete_objects"): {"s3:DeleteObject"},
    ("s3", "list_objects_v2"): {"s3:ListBucket"},
}
# Definitions of the layer that detect missing objects: without s3:ListBucket S3 answers 403 instead of 404.
SEES_MISSING = {("showrunner.aws.s3", "find_json"), ("showrunner.aws.s3", "size")}
GIBIBYTE = 2**30
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.max-connections
BYTES_A_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5_000
MOST_CONNECTIONS_OF_A_PAUSING_CLUSTER = 2_000
# Share of max_connections. The rest is for the superuser's reserve, a person with psql, and environments that Lambda is replacing
# while sessions of the old ones have not ended (db.IDLE_SESSION_MS).
SHARE_OF_CONNECTIONS = 0.75


@pytest.fixture(scope="module")
def functions() -> dict[str, Function]:
    return template.functions()


def test_folders_and_functions_of_the_templates_match(functions):
    named = [function.name for each in map(load, FILES) for function in template.functions(each).values()]

    assert sorted(named) == code.function_names()


def test_a_functions_name_is_its_folder(functions):
    for function in functions.values():
        assert function.id == "".join(part.capitalize() for part in function.name.split("_")) + "Function"


def test_functions_are_in_alphabetical_order():
    for path in FILES:
        names = list(template.functions(load(path)))

        assert names == sorted(names)


def test_the_handler_exists_and_is_last_in_its_file(functions):
    for name, function in functions.items():
        module, _, handler = function.properties["Handler"].partition(".")
        tree = code.tree(FUNCTIONS / name / f"{module}.py")

        assert handler in template_names(tree.body[-1]), f"functions/{name}/app.py: {handler} is not its last definition"


def template_names(node: ast.AST) -> list[str]:
    return code._targets(node)


# ---------------------------------------------------------------- Samples and tests


def samples() -> list[Path]:
    return [path for path in sorted(EVENTS.glob("*.json")) if path != BRIEF]


def test_every_function_has_a_sample_event_and_every_sample_a_function(functions):
    assert sorted({path.name.split(".")[0] for path in samples()}) == sorted(functions)


def test_every_sample_is_named_function_dot_case_and_holds_an_object():
    for path in samples():
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+\.json", path.name), path.name
        assert isinstance(json.loads(path.read_text(encoding="utf-8")), dict), path.name


def test_every_sample_is_read_by_a_test():
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    named = {node.value for path in tests for node in code.walk(code.tree(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    assert [path.stem for path in samples() if path.stem not in named and path.name not in named] == []


def test_every_function_is_called_by_a_test(functions):
    """Check that a test imports the function, or that the client of conftest.py routes calls to it."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.parent.name not in ("contract", "bench")]
    imported = {each.name for path in files for each in code.imports(path)}
    missing = [name for name in functions if code.app(name) not in imported and name not in {*PREFIXES.values(), "admin"}]

    assert missing == []


# ---------------------------------------------------------------- Routes


def routes(function: str) -> list[tuple[str, str, set[str]]]:
    """Return (method, path, keywords) of each `@app.get("/path", ...)` and the other methods."""
    found = []
    for node in code.walk(code.tree(FUNCTIONS / function / "app.py")):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and ast.unparse(decorator.func.value) == "app":
                path, keywords = ast.literal_eval(decorator.args[0]), {keyword.arg for keyword in decorator.keywords}
                found.append((decorator.func.attr, path, keywords))
    return found


def api_events(function: Function) -> list[dict]:
    return [event.get("Properties") or {} for event in (function.properties.get("Events") or {}).values() if event["Type"] == "HttpApi"]


# Hubs call it with the callback's token and a signature; the callback is its only route.
PUBLIC = {"websub"}


def test_every_route_has_a_permission(functions):
    for name, function in functions.items():
        if api_events(function) and name not in PUBLIC:
            assert routes(name), f"functions/{name} answers the API, but declares no route by @app.<method>"
            assert [path for _, path, keywords in routes(name) if "permission" not in keywords] == []


def test_every_route_has_an_event_of_its_function(functions):
    """The template has two routes per prefix: /x and /x/{proxy+}."""
    for name, function in functions.items():
        paths = {event.get("Path") for event in api_events(function)}
        prefixes = {path for path in paths if path and not path.endswith("/{proxy+}")}
        assert {path for path in paths if path} == prefixes | {f"{prefix}/{{proxy+}}" for prefix in prefixes}, name
        if None in paths:
            continue  # $default gets all other paths
        for _, path, _ in routes(name):
            assert any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes), f"{name}: nothing leads to {path}"


def test_a_function_behind_an_api_times_out_before_its_gateway(functions):
    """An HTTP API waits for 30 seconds at most: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html."""
    assert {name: f.properties["Timeout"] for name, f in functions.items() if api_events(f) and f.properties["Timeout"] > 29} == {}


# ---------------------------------------------------------------- Queues


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
    early = [name for name in references(event["Queue"]) if queues[name].get("VisibilityTimeout", 30) < 6 * function.properties["Timeout"]]
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
            Properties: {CodeUri: functions/notices, Timeout: 30, Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Notices.Arn}}}}
    """)

    assert queue_faults(broken) == [
        "Notices has no dead-letter queue and is none",
        "Dead is a dead-letter queue and doesn't keep its messages for 14 days",
        "notices has no partial batch response",
        "Notices is visible again before six timeouts of notices",
    ]


def test_every_dead_letter_queue_has_an_alarm():
    application = load(APPLICATION)
    dead = {name for queue in resources(application, "AWS::SQS::Queue").values() for name in references(queue.get("RedrivePolicy"))}
    alarms = resources(application, "AWS::CloudWatch::Alarm").values()
    watched = {name for alarm in alarms if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible" for name in references(alarm["Dimensions"])}

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


# ---------------------------------------------------------------- Policies


def star_faults(text: str) -> list[str]:
    """Return lines with a "*" in a statement's Action, Resource or Principal without a comment on the line or the one above."""
    lines = text.splitlines()
    root = yaml.compose(text, template.Loader)
    explained = re.compile(r"(^|\s)#\s*\S")
    return [
        f"line {node.start_mark.line + 1}: {lines[node.start_mark.line].strip()}"
        for node in _stars(root)
        if not any(explained.search(lines[line]) for line in (node.start_mark.line, node.start_mark.line - 1))
    ]


def _stars(node: yaml.Node) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        return [star for inner in node.value for star in _stars(inner)]
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = {key.value for key, _ in node.value}
    found = [star for _, value in node.value for star in _stars(value)]
    if "Effect" in keys:
        found += [star for key, value in node.value if key.value in ("Action", "NotAction", "Resource", "Principal") for star in _wide(value, key.value)]
    return found


def _wide(node: yaml.Node, key: str) -> list[yaml.ScalarNode]:
    scalars = [node] if isinstance(node, yaml.ScalarNode) else [each[1] if isinstance(each, tuple) else each for each in node.value]
    scalars = [
        inner for scalar in scalars for inner in (scalar.value if isinstance(scalar, yaml.SequenceNode) else [scalar]) if isinstance(inner, yaml.ScalarNode)
    ]
    return [scalar for scalar in scalars if (scalar.value == "*" or (key in ("Action", "NotAction") and "*" in scalar.value))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_wildcard_in_a_policy_says_why(path):
    assert star_faults(path.read_text(encoding="utf-8")) == []


def test_an_unexplained_wildcard_is_detected():
    assert star_faults("""
      - {Effect: Allow, Action: 's3:*', Resource: arn:aws:s3:::ours} # the bucket's own administrator
      - Effect: Allow
        Action: [s3:GetObject, 's3:Put*']

        Resource: '*'
    """) == ["line 4: Action: [s3:GetObject, 's3:Put*']", "line 6: Resource: '*'"]


def required(function: str) -> set[str]:
    """Return the IAM actions that a function's code needs, except kms."""
    operations = code.operations(function)
    found = {action for operation in operations for action in IAM_ACTIONS.get(operation) or {_action(*operation)}}
    return found | ({"s3:ListBucket"} if code.reach(function) & SEES_MISSING else set())


def _action(service: str, method: str) -> str:
    return f"{IAM_SERVICE.get(service, service)}:{''.join(part.capitalize() for part in method.split('_'))}"


def granted(function: Function) -> set[str]:
    return {action for statement in function.statements if statement["Effect"] == "Allow" for action in listed(statement["Action"])}


def test_a_functions_policy_allows_what_its_code_calls(functions):
    missing = {name: sorted(required(name) - granted(function)) for name, function in functions.items()}

    assert {name: actions for name, actions in missing.items() if actions} == {}


def test_a_functions_policy_allows_nothing_that_its_code_does_not_call(functions):
    # A function that reads objects may list them, to distinguish a missing object from a forbidden one.
    more = {name: {"s3:ListBucket"} if "s3:GetObject" in required(name) else set() for name in functions}
    superfluous = {name: {action for action in granted(f) if not action.startswith("kms:")} - required(name) - more[name] for name, f in functions.items()}

    assert {name: sorted(actions) for name, actions in superfluous.items() if actions} == {}


def test_a_function_may_use_the_key_exactly_when_it_uses_encrypted_data(functions):
    for name, function in functions.items():
        services = {action.split(":")[0] for action in required(name)}
        kms = {action for action in granted(function) if action.startswith("kms:")}

        if "s3:PutObject" in required(name):
            assert "kms:GenerateDataKey" in kms, f"{name} writes objects that S3 seals with the stage's key"
        assert ("kms:Decrypt" in kms) == bool(services & {"s3", "ssm", "dynamodb"}), name


def test_a_functions_policy_allows_exactly_the_secrets_it_reads(functions):
    for name, function in functions.items():
        resources_ = [resource for s in function.statements if "ssm:GetParameters" in listed(s["Action"]) for resource in listed(s["Resource"])]
        allowed = sorted(resource["Fn::Sub"].partition("parameter/showrunner/${Stage}/")[2] for resource in resources_)

        assert allowed == sorted(wish.name for wish in code.secrets(name)), name


# ---------------------------------------------------------------- Environment


def test_every_setting_that_a_function_reads_is_given_to_it(functions):
    given = GIVEN_ELSEWHERE.keys() | GIVEN_BY_LAMBDA
    missing = {name: sorted({wish.name for wish in code.settings(name)} - function.variables.keys() - given) for name, function in functions.items()}

    assert {name: settings for name, settings in missing.items() if settings} == {}


def test_settings_given_elsewhere_have_a_default_and_are_read(functions):
    wishes = {wish for name in functions for wish in code.settings(name)}

    assert {wish.name for wish in wishes if wish.name in GIVEN_ELSEWHERE and wish.optional} == set(GIVEN_ELSEWHERE)


def test_every_environment_variable_is_read(functions):
    read = {name: {wish.name for wish in code.settings(name)} for name in functions}
    by_anybody = set().union(*read.values()) | READ_BY_LIBRARIES.keys()
    for name, function in functions.items():
        own = (function.own.get("Environment") or {}).get("Variables") or {}
        assert sorted(own.keys() - read[name] - READ_BY_LIBRARIES.keys()) == [], f"{name} is given what it doesn't read"
    for path in FILES:
        common = ((load(path).get("Globals") or {}).get("Function") or {}).get("Environment") or {"Variables": {}}
        assert sorted(common["Variables"].keys() - by_anybody) == []


def secret_faults(function: Function) -> list[str]:
    named = [name for name in function.variables if re.search("PASSWORD|SECRET|TOKEN|CREDENTIAL|(^|_)KEY(_|$)(?!ARN$)|PRIVATE", name)]
    resolved = [name for name, value in function.variables.items() if re.search("resolve:(ssm-secure|secretsmanager)", json.dumps(value))]
    hidden = {name for name, parameter in (function.template.get("Parameters") or {}).items() if str(parameter.get("NoEcho", "")).lower() == "true"}
    return named + resolved + [name for name, value in function.variables.items() if references(value) & hidden]


def test_no_environment_variable_holds_a_secret(functions):
    assert {name: secret_faults(function) for name, function in functions.items() if secret_faults(function)} == {}


def test_a_secret_in_a_variable_is_detected():
    broken = template.parse("""
        Parameters: {Hidden: {Type: String, NoEcho: true}}
        Resources:
          ShopFunction:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: functions/shop
              Environment: {Variables: {API_KEY: abc, A: '{{resolve:secretsmanager:x}}', B: !Ref Hidden, KEYBOARD: us}}
    """)

    assert secret_faults(template.functions(broken)["shop"]) == ["API_KEY", "A", "B"]


# ---------------------------------------------------------------- Database and network


def uses_database(function: str) -> bool:
    return "showrunner.database.db" in code.closure(code.app(function))


def test_functions_are_in_the_vpc_exactly_when_they_use_the_database(functions):
    for name, function in functions.items():
        assert ("VpcConfig" in function.properties) == uses_database(name), name
        assert any(variable.startswith("DATABASE_") for variable in function.variables) == uses_database(name), name


# Routes whose caller waits for a platform, with a timeout and a breaker; and modules that only parse (the hub function uses their client).
WAITS_OUTSIDE = {"feed": {"showrunner.platforms.youtube"}, "accounts": {"showrunner.platforms.google"}}
READS = {"showrunner.platforms.answers", "showrunner.platforms.websub"}


def test_functions_that_use_the_database_call_no_platform(functions):
    for name in filter(uses_database, functions):
        platforms = {module for module in code.closure(code.app(name)) if module.startswith("showrunner.platforms.")}
        assert platforms - READS - WAITS_OUTSIDE.get(name, set()) == set(), name


def test_database_functions_have_bounded_concurrency_that_fits_the_connections(functions):
    counts = {name: function.properties.get("ReservedConcurrentExecutions") for name, function in functions.items() if uses_database(name)}
    assert {name: count for name, count in counts.items() if not isinstance(count, int)} == {}, "each is one connection for each environment"

    assert sum(counts.values()) <= SHARE_OF_CONNECTIONS * smallest_max_connections(load(DATA))


def smallest_max_connections(data: dict) -> int:
    """Return the least max_connections. Aurora derives it from the maximum capacity; use the smallest that the parameter allows."""
    scaling = resources(data, "AWS::RDS::DBCluster")["Database"]["ServerlessV2ScalingConfiguration"]
    units = data["Parameters"][scaling["MaxCapacity"]["Ref"]]["MinValue"]
    found = min(MOST_CONNECTIONS, units * 2 * GIBIBYTE // BYTES_A_CONNECTION)
    least = min(data["Parameters"][scaling["MinCapacity"]["Ref"]]["AllowedValues"])
    return min(found, MOST_CONNECTIONS_OF_A_PAUSING_CLUSTER) if least <= 0.5 else found


def test_the_voice_functions_concurrency_matches_the_elevenlabs_plan(functions):
    assert functions["voice"].properties["ReservedConcurrentExecutions"] == {"Ref": "SpeechConcurrency"}


def test_gpu_instances_can_reach_the_services_that_start_them():
    """Without NAT an instance in a public subnet needs a public address; Fargate jobs request theirs themselves."""
    data, application = load(DATA), load(APPLICATION)
    public = references(data["Outputs"]["PublicSubnets"]["Value"])
    subnets = resources(data, "AWS::EC2::Subnet")
    definitions = resources(application, "AWS::Batch::JobDefinition")

    assert public
    assert {name for name in public if not subnets[name].get("MapPublicIpOnLaunch")} == set()
    for definition in definitions.values():
        if definition["PlatformCapabilities"] == ["FARGATE"]:
            assert definition["ContainerProperties"]["NetworkConfiguration"] == {"AssignPublicIp": "ENABLED"}


# ---------------------------------------------------------------- Batch


def test_both_render_jobs_differ_only_where_their_platform_requires():
    definitions = resources(load(APPLICATION), "AWS::Batch::JobDefinition")
    gpu, cpu = (json.loads(json.dumps(definitions[name])) for name in ("GpuJobDefinition", "CpuJobDefinition"))
    needs = {
        name: {each["Type"]: int(each["Value"]) for each in job["ContainerProperties"]["ResourceRequirements"]} for name, job in (("gpu", gpu), ("cpu", cpu))
    }
    for job in (gpu, cpu):
        del job["JobDefinitionName"], job["PlatformCapabilities"], job["ContainerProperties"]["ResourceRequirements"]
    for only_fargate in ("NetworkConfiguration", "EphemeralStorage", "RuntimePlatform", "FargatePlatformConfiguration"):
        cpu["ContainerProperties"].pop(only_fargate, None)
    # An empty volume of the instance. EC2 needs `Host`, Fargate refuses it.
    assert [volume.pop("Host") for volume in gpu["ContainerProperties"]["Volumes"]] == [{}]

    assert gpu == cpu
    assert needs["gpu"]["VCPU"] == needs["cpu"]["VCPU"]
    # https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html: 4 vCPUs take 8 to 30 GiB in steps of 1.
    assert needs["cpu"]["VCPU"] == 4
    assert needs["cpu"]["MEMORY"] in range(8192, 30_721, 1024)


def test_the_jobs_pass_on_the_machines_parameters():
    commands = [job["ContainerProperties"]["Command"] for job in resources(load(APPLICATION), "AWS::Batch::JobDefinition").values()]

    assert commands == [["python", "-m", "render", "Ref::timeline", "Ref::destination"]] * 2


# ---------------------------------------------------------------- Logs


def test_every_log_group_has_a_retention_period(functions):
    for path in FILES:
        for name, group in resources(load(path), "AWS::Logs::LogGroup").items():
            assert group.get("RetentionInDays", 0) > 0, name


def test_everything_logs_to_a_log_group_of_the_template(functions):
    """A log group that AWS creates by itself never deletes anything."""
    for name, function in functions.items():
        group = function.properties.get("LoggingConfig", {}).get("LogGroup")
        assert references(group) & resources(function.template, "AWS::Logs::LogGroup").keys(), name
    application = load(APPLICATION)
    groups = resources(application, "AWS::Logs::LogGroup").keys()
    others = {
        **resources(application, "AWS::Serverless::HttpApi"),
        **resources(application, "AWS::Serverless::WebSocketApi"),
        **resources(application, "AWS::Serverless::StateMachine"),
        **resources(application, "AWS::Batch::JobDefinition"),
    }
    keys = ("AccessLogSettings", "Logging", "LogConfiguration")
    for name, resource in others.items():
        settings = [inner[key] for inner in walk(resource) if isinstance(inner, dict) for key in keys if key in inner]
        assert references(settings) & groups, name


def test_alarms_go_to_a_topic_whose_key_cloudwatch_may_use():
    """CloudWatch may not use alias/aws/sns, and its policy cannot be changed: https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger."""
    topics = resources(load(DATA), "AWS::SNS::Topic")
    assert topics
    key = resources(load(DATA), "AWS::KMS::Key")["StageKey"]["KeyPolicy"]["Statement"]

    assert {name: topic.get("KmsMasterKeyId") for name, topic in topics.items() if references(topic.get("KmsMasterKeyId")) != {"StageKey"}} == {}
    assert any(statement["Principal"].get("Service") == "cloudwatch.amazonaws.com" for statement in key)


# ---------------------------------------------------------------- The two templates together


def test_the_data_stack_exports_what_the_application_imports():
    exported = {output["Export"]["Name"]["Fn::Sub"] for output in load(DATA)["Outputs"].values() if "Export" in output}
    imported = {
        json.dumps(inner["Fn::ImportValue"]["Fn::Sub"]).strip('"')
        for inner in walk(load(APPLICATION))
        if isinstance(inner, dict) and "Fn::ImportValue" in inner
    }

    assert imported
    assert sorted(imported - exported) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_parameter_and_condition_is_used(path):
    each = load(path)
    used = references({key: value for key, value in each.items() if key != "Parameters"})
    named = [inner.get("Condition") for inner in walk(each["Resources"]) if isinstance(inner, dict)]
    conditions = {name for name in named if isinstance(name, str)} | {
        inner["Fn::If"][0] for inner in walk(each) if isinstance(inner, dict) and "Fn::If" in inner
    }

    assert sorted(each["Parameters"].keys() - used) == []
    assert sorted((each.get("Conditions") or {}).keys() - conditions) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_aliases_survive_the_build(path):
    """`sam build` writes aliases out, but neither it nor CloudFormation reads hash merges."""
    assert not re.search(r"^\s*<<\s*:", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert isinstance(load(path)["Resources"], dict)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_resources_with_data_are_retained(path):
    """Buckets, tables, keys and databases outlive their stack and their own replacement; only what a first deployment made and failed with is undone,
    because its fixed names would make the next attempt fail ("already exists")."""
    for name, resource in load(path)["Resources"].items():
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::RDS::DBCluster"):
            assert resource.get("DeletionPolicy") in ("RetainExceptOnCreate", "Snapshot"), name
            assert resource.get("UpdateReplacePolicy") in ("Retain", "Snapshot"), name
