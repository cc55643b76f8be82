"""`make deploy STAGE=dev`: a stage of a real account, in the order that keeps it whole: secrets, data stack, migrations, render image, application stack."""

import base64
import functools
import json
import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import build as building
from local.build import declared
from local.settings import ROOT, Refused, python_of
from showrunner.access import tokens

STAGES = ("dev", "prod")
# The migrate function's own limit: an index on a large table, and before it a database at rest that takes half a minute to come back.
MIGRATE_TIMEOUT_S = 900
# What the person has to bring; everything else is made here.
BROUGHT = {"openai/api_key": "OpenAI", "elevenlabs/api_key": "ElevenLabs"}
# Of the database's owner, who migrates it, and of the role that the functions log in as.
PASSWORDS = ("database/owner_password", "database/password")
# Until the first deployment has told the API's own address; nothing trusts tokens of this issuer.
NO_ADDRESS = "https://address.invalid"


def release(stage: str, *, dry_run: bool, confirm: str | None) -> None:
    refuse_unsafe(stage, confirm)
    (Rehearsal(stage) if dry_run else Release(stage)).deploy()


def refuse_unsafe(stage: str, confirm: str | None) -> None:
    if stage not in STAGES:
        raise Refused(f"STAGE={stage}: a stage is {' or '.join(STAGES)} (make deploy STAGE=dev); the local one comes up with make up")
    if stage == "prod" and confirm != "prod":
        raise Refused("this would change production; say so with make deploy STAGE=prod CONFIRM=prod")
    elsewhere = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if elsewhere:
        raise Refused(f"{', '.join(elsewhere)} would send this to another place than AWS; unset it and run it again")


class Release:
    """One stage's deployment. Every part can be run again: what is there already is left as it is."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.data_stack = f"showrunner-data-{stage}"
        self.application_stack = f"showrunner-{stage}"

    def deploy(self) -> None:
        account, region = self.identity()
        print(f"Stage {self.stage}, account {account}, region {region}.", flush=True)
        engine = container_engine()
        self.ensure_secrets()
        built = self.build()
        self.sam_deploy(built / "data", self.data_stack, {})
        self.migrate()
        image = self.push_image(engine, account, region)
        self.deploy_application(built / "application", image)

    def deploy_application(self, built: Path, image: str) -> None:
        """Without a domain the address is known only after the first deployment, and the functions learn it by a second one."""
        given = os.environ.get("PLATFORM_URL")
        first = self.find_output(self.application_stack, "PlatformApiUrl") is None
        url = {"PlatformUrl": given} if given else {"PlatformUrl": NO_ADDRESS} if first else {}
        self.sam_deploy(built, self.application_stack, {"ImageUri": image, **url})
        if first and not given:
            self.sam_deploy(built, self.application_stack, {"ImageUri": image, "PlatformUrl": self.output(self.application_stack, "PlatformApiUrl")})
        print(f"Deployed: {given or self.output(self.application_stack, 'PlatformApiUrl')}", flush=True)

    def identity(self) -> tuple[str, str]:
        """Who deploys, and where to; refuses before anything is built."""
        from botocore.exceptions import BotoCoreError, ClientError

        region = session().region_name
        if not region:
            raise Refused("no AWS region is set; set AWS_REGION, or a region in the profile that AWS_PROFILE names")
        try:
            return str(aws("sts").get_caller_identity()["Account"]), str(region)
        except (BotoCoreError, ClientError) as error:
            raise Refused(f"AWS credentials are missing or refused ({error}); set AWS_PROFILE or log in, and run it again") from error

    def build(self) -> Path:
        return building.build()

    def ensure_secrets(self) -> None:
        """Before the data stack, whose database reads its password. Nothing that is there is changed."""
        wanted = [*BROUGHT, *PASSWORDS, "auth/signing_key", "auth/jwks"]
        names = {f"/showrunner/{self.stage}/{name}": name for name in wanted}
        there = {names[parameter["Name"]] for parameter in aws("ssm").get_parameters(Names=list(names))["Parameters"]}
        missing = [name for name in BROUGHT if name not in there]
        if missing:
            lines = "".join(f"\n    {self.brought_line(name)}" for name in missing)
            raise Refused(f"keys of {' and '.join(BROUGHT[name] for name in missing)} are not in SSM yet; put them there and run it again:{lines}")
        self.make_secrets(there)

    def make_secrets(self, there: set[str]) -> None:
        for name in PASSWORDS:
            if name not in there:
                self.put_secret(name, secrets.token_urlsafe(24))
        if "auth/signing_key" not in there:
            key = tokens.new_key()
            self.put_secret("auth/signing_key", json.dumps(key))
            self.put_secret("auth/jwks", json.dumps(tokens.jwk_set(key)))

    def put_secret(self, name: str, value: str) -> None:
        print(f"New secret /showrunner/{self.stage}/{name}", flush=True)
        aws("ssm").put_parameter(Name=f"/showrunner/{self.stage}/{name}", Value=value, Type="SecureString", Overwrite=name == "auth/jwks")

    def brought_line(self, name: str) -> str:
        return line("aws", "ssm", "put-parameter", "--type", "SecureString", "--name", f"/showrunner/{self.stage}/{name}", "--value", "<key>")

    def sam_deploy(self, built: Path, stack: str, more: Mapping[str, str]) -> None:
        self.run(self.sam_command(built, stack, {"Stage": self.stage, **more}), environment=building.sam_environment())

    def sam_command(self, built: Path, stack: str, values: Mapping[str, str]) -> list[str | Path]:
        template = built / "template.yaml"
        known = declared(template) if template.exists() else set(values)
        overrides = [f"{name}={value}" for name, value in values.items() if name in known]
        command = [python_of("sam").with_name("sam"), "deploy", "--config-file", ROOT / "samconfig.toml", "--config-env", self.stage, *self.region_option()]
        return [*command, "--template-file", template, "--stack-name", stack, "--parameter-overrides", *overrides]

    def region_option(self) -> list[str]:
        return ["--region", str(session().region_name)]

    def migrate(self) -> None:
        """Before the application that needs it. The old application's functions go on meanwhile, so a migration only adds."""
        from botocore.config import Config

        name = self.output(self.data_stack, "MigrateFunction")
        print(f"Migrating the database ({name}) ...", flush=True)
        client = session().client("lambda", config=Config(read_timeout=MIGRATE_TIMEOUT_S, retries={"total_max_attempts": 1}))
        answer = client.invoke(FunctionName=name, Payload=b"{}")
        told = json.load(answer["Payload"])
        if answer.get("FunctionError"):
            raise Refused(f"the migration failed, and the application stack was left as it is: {told.get('errorMessage', told)}", code=1)
        print(f"Applied: {', '.join(told['applied']) or 'nothing new'}.", flush=True)

    def push_image(self, engine: str, account: str, region: str) -> str:
        """The image's address by digest: what was pushed is what runs, whatever happens to the tag."""
        repository, tag = self.output(self.data_stack, "RenderRepository"), building.render_version()
        if not self.digest(repository, tag):
            self.login(engine, f"{account}.dkr.ecr.{region}.amazonaws.com")
            for command in image_commands(engine, f"{repository}:{tag}"):
                self.run(command)
        return f"{repository}@{self.digest(repository, tag)}"

    def login(self, engine: str, registry: str) -> None:
        """The password goes in by a pipe, never by an argument that other users of the machine can read."""
        told = aws("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(told).decode().partition(":")[2]
        done = subprocess.run(login_command(engine, registry), input=password, text=True, capture_output=True, check=False)
        if done.returncode:
            raise Refused(f"{engine} could not log in to {registry}: {done.stderr.strip()[-300:]}", code=1)

    def digest(self, repository: str, tag: str) -> str | None:
        client = aws("ecr")
        try:
            found = client.describe_images(repositoryName=repository.partition("/")[2], imageIds=[{"imageTag": tag}])
        except client.exceptions.ImageNotFoundException:
            return None
        return str(found["imageDetails"][0]["imageDigest"])

    def output(self, stack: str, key: str) -> str:
        value = self.find_output(stack, key)
        if value is None:
            raise Refused(f"stack {stack} has no output {key}; its deployment did not end well", code=1)
        return value

    def find_output(self, stack: str, key: str) -> str | None:
        from botocore.exceptions import ClientError

        try:
            told = aws("cloudformation").describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return next((str(output["OutputValue"]) for output in told if output["OutputKey"] == key), None)

    def run(self, command: list[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """Its output goes straight to the person: pushing and deploying take minutes, and production asks before it changes."""
        print(f"+ {line(*command)}", flush=True)
        done = subprocess.run(list(map(str, command)), env=environment, cwd=ROOT, check=False)
        if done.returncode:
            raise Refused(f"{Path(command[0]).name} {command[1]} failed with status {done.returncode}; what came before it stays deployed", code=1)


class Rehearsal(Release):
    """DRY_RUN=1: the same parts in the same order, each printed as the command to type. Needs no account and asks none."""

    def deploy(self) -> None:
        account, region = "$(aws sts get-caller-identity --query Account --output text)", os.environ.get("AWS_REGION", "$AWS_REGION")
        built = building.BUILDS / building.version()
        for name in BROUGHT:
            print(f"# once: {self.brought_line(name)}")
        print(f"# once: make deploy puts new random secrets {', '.join(PASSWORDS)}, auth/signing_key and auth/jwks beside them")
        print("make build")
        self.tell(self.sam_command(built / "data", self.data_stack, {"Stage": self.stage}))
        print(f"aws lambda invoke --function-name {self.lookup(self.data_stack, 'MigrateFunction')} --cli-read-timeout {MIGRATE_TIMEOUT_S} /dev/stdout")
        repository, registry = self.lookup(self.data_stack, "RenderRepository"), f"{account}.dkr.ecr.{region}.amazonaws.com"
        print(f"repository={repository}")
        print(f"aws ecr get-login-password | docker login --username AWS --password-stdin {registry}")
        for command in image_commands("docker", f"$repository:{building.render_version()}"):
            self.tell(command)
        digest = "--query imageDetails[0].imageDigest --output text"
        print(f'digest=$(aws ecr describe-images --repository-name "${{repository#*/}}" --image-ids imageTag={building.render_version()} {digest})')
        values = {"Stage": self.stage, "ImageUri": "$repository@$digest", "PlatformUrl": os.environ.get("PLATFORM_URL", "$PLATFORM_URL")}
        self.tell(self.sam_command(built / "application", self.application_stack, values))

    def region_option(self) -> list[str]:
        return ["--region", os.environ.get("AWS_REGION", "$AWS_REGION")]

    def tell(self, command: list[str | Path]) -> None:
        print(line(*(part.relative_to(ROOT) if isinstance(part, Path) and part.is_relative_to(ROOT) else part for part in command)))

    def lookup(self, stack: str, key: str) -> str:
        query = f"\"Stacks[0].Outputs[?OutputKey=='{key}'].OutputValue\""
        return f"$(aws cloudformation describe-stacks --stack-name {stack} --query {query} --output text)"


def image_commands(engine: str, tag: str) -> list[list[str | Path]]:
    build = [engine, "build", "--platform", "linux/amd64", "--file", ROOT / "functions" / "render" / "Dockerfile", "--tag", tag]
    build += ["--build-context", f"lock={ROOT / 'local' / 'lock'}", ROOT / "functions"]
    return [build, [engine, "push", tag]]


def login_command(engine: str, registry: str) -> list[str]:
    return [engine, "login", "--username", "AWS", "--password-stdin", registry]


def container_engine() -> str:
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, timeout=30, check=False).returncode == 0:
            return name
    raise Refused("the render image is built with docker or podman, and neither runs here; start one and run it again (DRY_RUN=1 shows what would be done)")


def line(*parts: str | Path) -> str:
    """As it would be typed. A part with a shell variable in it is quoted so that the shell still fills it in."""
    return " ".join(f'"{part}"' if "$" in str(part) else shlex.quote(str(part)) for part in parts)


@functools.cache
def session() -> Any:
    import boto3

    # The SDK for Python reads AWS_DEFAULT_REGION only; every other tool reads this one too.
    return boto3.Session(region_name=os.environ.get("AWS_REGION"))


@functools.cache
def aws(service: str) -> Any:
    return session().client(service)
