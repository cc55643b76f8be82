"""`make deploy STAGE=dev`: a stage of a real account, in the order that keeps it whole: data stack, migrations, render image, application stack."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local import build as building
from local.build import declared
from local.settings import ROOT, Refused, python_of

STAGES = ("dev", "prod")
# Wide enough for any cold database: an Aurora cluster at rest takes up to half a minute to come back.
MIGRATE_TIMEOUT_S = 900


class Release:
    """One stage's deployment. With `dry_run` it prints the commands, in order and complete, and runs none of them."""

    def __init__(self, stage: str, *, dry_run: bool) -> None:
        self.stage = stage
        self.dry_run = dry_run
        self.data_stack = f"showrunner-data-{stage}"
        self.application_stack = f"showrunner-{stage}"

    def deploy(self) -> None:
        account, region = self.identity()
        built = building.build() if not self.dry_run else ROOT / ".local" / "build" / building.version()
        self.say(f"Deploying stage {self.stage} to account {account} in {region}.")
        self.sam_deploy(built / "data", self.data_stack, {})
        self.migrate()
        image = self.push_image(account, region)
        self.sam_deploy(built / "application", self.application_stack, {"ImageUri": image})
        self.say(f"Deployed. Addresses: {self.aws_line('cloudformation', 'describe-stacks', '--stack-name', self.application_stack)}")

    def identity(self) -> tuple[str, str]:
        """Who deploys, and where to; refuses before anything is built."""
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        session = boto3.Session()
        region = session.region_name
        if self.dry_run:
            return os.environ.get("AWS_ACCOUNT_ID", "<account>"), region or "<region>"
        if not region:
            raise Refused("no AWS region is set; set AWS_REGION, or a region in the profile that AWS_PROFILE names")
        try:
            told = session.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise Refused(f"AWS credentials are missing or refused ({error}); set AWS_PROFILE, or log in, and run it again") from error
        return str(told["Account"]), region

    def sam_deploy(self, built: Path, stack: str, more: Mapping[str, str]) -> None:
        overrides = [f"{name}={value}" for name, value in {"Stage": self.stage, **more}.items() if self.dry_run or name in declared(built / "template.yaml")]
        command = [python_of("sam").with_name("sam"), "deploy", "--config-file", ROOT / "samconfig.toml", "--config-env", self.stage]
        command += ["--template-file", built / "template.yaml", "--stack-name", stack, "--parameter-overrides", *overrides]
        self.run(command, environment=building.sam_environment())

    def migrate(self) -> None:
        """Expand before the application that needs it: its functions are still the old ones now, and must go on working."""
        if self.dry_run:
            self.say(self.aws_line("lambda", "invoke", "--function-name", f"$({self.output_line(self.data_stack, 'MigrateFunction')})", "/dev/stdout"))
            return
        import boto3
        from botocore.config import Config

        name = self.output(self.data_stack, "MigrateFunction")
        self.say(f"Migrating the database ({name}) ...")
        client = boto3.client("lambda", config=Config(read_timeout=MIGRATE_TIMEOUT_S, retries={"total_max_attempts": 1}))
        answer = client.invoke(FunctionName=name, Payload=b"{}")
        told = json.load(answer["Payload"])
        if answer.get("FunctionError"):
            raise Refused(f"the migration failed and the application stack was left as it is: {told.get('errorMessage', told)}", code=1)
        self.say(f"Applied: {', '.join(told.get('applied') or []) or 'nothing new'}.")

    def push_image(self, account: str, region: str) -> str:
        """The image's address by digest: what was pushed is what runs, whatever happens to the tag."""
        engine = container_engine(dry_run=self.dry_run)
        repository = f"$({self.output_line(self.data_stack, 'RenderRepository')})" if self.dry_run else self.output(self.data_stack, "RenderRepositoryUri")
        tag = f"{repository}:{building.render_version()}"
        registry = f"{account}.dkr.ecr.{region}.amazonaws.com"
        # The password goes in by a pipe, never by an argument that other users of the machine can read.
        self.login(engine, registry, region)
        self.run([engine, "build", "--platform", "linux/amd64", "--file", ROOT / "functions/render/Dockerfile", "--tag", tag, ROOT / "functions"])
        self.run([engine, "push", tag])
        if self.dry_run:
            self.say(self.aws_line("ecr", "describe-images", "--repository-name", repository, "--image-ids", f"imageTag={building.render_version()}"))
            return f"{repository}@<digest>"
        return f"{repository}@{self.digest(repository, building.render_version())}"

    def login(self, engine: str, registry: str, region: str) -> None:
        if self.dry_run:
            self.say(f"{self.aws_line('ecr', 'get-login-password')} | {engine} login --username AWS --password-stdin {registry}")
            return
        import base64

        import boto3

        told = boto3.client("ecr", region_name=region).get_authorization_token()["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(told).decode().partition(":")[2]
        done = subprocess.run([engine, "login", "--username", "AWS", "--password-stdin", registry], input=password, text=True, capture_output=True, check=False)
        if done.returncode:
            raise Refused(f"{engine} could not log in to {registry}: {done.stderr.strip()[-300:]}", code=1)

    def digest(self, repository: str, tag: str) -> str:
        import boto3

        name = repository.partition("/")[2]
        return str(boto3.client("ecr").describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"][0]["imageDigest"])

    def output(self, stack: str, key: str) -> str:
        import boto3

        told = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
        return next(output["OutputValue"] for output in told if output["OutputKey"] == key)

    def run(self, command: list[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """Its output goes straight to the person: pushing and deploying take minutes."""
        self.say("+ " + shlex.join(map(str, command)))
        if self.dry_run:
            return
        done = subprocess.run(list(map(str, command)), env=environment, cwd=ROOT, check=False)
        if done.returncode:
            raise Refused(
                f"{Path(command[0]).name} {command[1]} failed with status {done.returncode}; what came before it stays deployed, run it again after mending",
                code=1,
            )

    def say(self, line: str) -> None:
        print(line, flush=True)

    def aws_line(self, *arguments: str) -> str:
        return "aws " + " ".join(argument if argument.startswith("$(") else shlex.quote(argument) for argument in arguments)

    def output_line(self, stack: str, key: str) -> str:
        query = f"Stacks[0].Outputs[?OutputKey=='{key}'].OutputValue"
        return self.aws_line("cloudformation", "describe-stacks", "--stack-name", stack, "--query", query, "--output", "text")


def release(stage: str, *, dry_run: bool, confirm: str | None) -> None:
    refuse_unsafe(stage, confirm)
    Release(stage, dry_run=dry_run).deploy()


def refuse_unsafe(stage: str, confirm: str | None) -> None:
    if stage not in STAGES:
        raise Refused(f"STAGE={stage}: a stage is {' or '.join(STAGES)} (make deploy STAGE=dev); the local one comes up with make up")
    if stage == "prod" and confirm != "prod":
        raise Refused("this would change production; say so with make deploy STAGE=prod CONFIRM=prod")
    told = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if told:
        raise Refused(f"{', '.join(told)} would send this to another place than AWS; unset it and run it again")


def container_engine(*, dry_run: bool) -> str:
    for name in ("docker", "podman"):
        if shutil.which(name) and (dry_run or is_up(name)):
            return name
    if dry_run:
        return "docker"
    raise Refused("the render image needs docker or podman, with its engine running; neither answered")


def is_up(name: str) -> bool:
    return subprocess.run([name, "info"], capture_output=True, timeout=20, check=False).returncode == 0
