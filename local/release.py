"""`make deploy STAGE=dev`: preflight, secrets under the stage's own key, data stack, migrations,
render image, application stack.

Run again from wherever it stopped, it goes on.

What a stack needs from another one's outputs (the API's own address, the database's host) is compared on
every run and handed over when it differs, so no run depends on the one before it having ended well.
"""

import base64
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local import build as building
from local.build import declared
from local.settings import HOME, ROOT, Refused, python_of
from local.stages import preflight, secrets
from local.stages.stage import Stage, refuse_placeholders, refuse_region, refuse_unsafe

__all__ = ["BROUGHT", "MADE", "OPTIONAL", "refuse_region", "release"]

BROUGHT, OPTIONAL, MADE = secrets.BROUGHT, secrets.OPTIONAL, secrets.MADE
# The migrate function's own limit: an index on a large table, and before it a database at rest that takes
# half a minute to come back.
MIGRATE_TIMEOUT_S = 900
# Until the first deployment has created the APIs with their addresses. Nothing trusts tokens of this issuer,
# and the same run replaces it.
PENDING = "pending"
# The address may be known after one deployment of the application, and then it is deployed once more; a third
# would mean that they never agree.
PASSES = 3
# Revisions of a job definition and versions of a function that are kept: the current one and the one before
# it, for a rollback.
KEPT_REVISIONS = 2


def release(stage: str, *, dry_run: bool, confirm: str | None, snapshot: str | None = None) -> None:
    refuse_unsafe(stage, confirm)
    if dry_run:
        Rehearsal(stage).deploy()
    else:
        Release(Stage(stage), snapshot=snapshot).deploy()


class Release:
    """One stage's deployment. Every part can be run again: what is there already is left as it is.

    `snapshot`: a database snapshot that the stage's database is replaced with (`make restore`).
    """

    def __init__(self, stage: Stage, *, snapshot: str | None = None) -> None:
        self.stage = stage
        self.snapshot = snapshot

    def deploy(self) -> None:
        region = self.stage.region()
        account = self.stage.caller()["account"]
        print(f"Stage {self.stage.name}, account {account}, region {region}.", flush=True)
        found = preflight.require(self.stage)
        engine = preflight.container_engine() or "docker"
        secrets.make_missing(self.stage)
        built = building.build()
        for stack in (self.stage.data_stack, self.stage.application_stack):
            self.stage.settle(stack)
        self.note_deletions()
        self.deploy_data(built / "data", found)
        secrets.encrypt_again(self.stage)
        self.migrate()
        self.repeat_deletions()
        image = self.push_image(engine, account, region)
        self.deploy_application(built / "application", image, found)
        # Now that the stage stands and its addresses are known: protected, and with the origins that may
        # upload.
        self.deploy_data(built / "data", found)
        self.keep_from_deletion()
        self.end_old_revisions()
        self.end_old_versions()
        outputs, given = self.stage.outputs(self.stage.application_stack), self.stage.parameters()
        # In the background: it reports by its alarm and in GET /voices.
        self.stage.aws("lambda").invoke(
            FunctionName=outputs["VoiceCheckFunction"], InvocationType="Event", Payload=b"{}"
        )
        for name in preflight.DOMAINS:
            if target := outputs.get(f"{name}Target"):
                print(f"DNS: {given[name]} has to be a CNAME of {target}", flush=True)
        print(f"Deployed: {outputs['PlatformApiUrl']}", flush=True)

    # ------------------------------------------------------------ The two stacks

    def data_parameters(self, found: preflight.Account) -> dict[str, str]:
        """Return the data stack's parameters.

        Zones, snapshot and generation keep their values: others would replace subnets or empty the database.
        """
        zones = dict(zip(("ZoneA", "ZoneB"), found.zones, strict=False))
        # A stack that has only the key (key.py) can still be undone, so it is not protected yet.
        stands = self.stage.has_data_stack()
        # What `make destroy DATA=keep` took away comes back: a parameter that isn't given keeps its last
        # value.
        awake = {"Egress": "instance", "DatabaseMinCapacity": "0"}
        values = {
            **self.kept(),
            **awake,
            **zones,
            "ApiLogs": found.api_logs,
            **self.own_origins(),
            **self.stage.parameters(),
            "Protected": str(stands).lower(),
        }
        if self.snapshot and self.is_restoring():
            generation = int(self.kept().get("DatabaseGeneration") or 1) + 1
            values |= {
                "DatabaseSnapshot": self.snapshot,
                "DatabaseGeneration": str(generation),
                "Protected": "false",
            }
        return {"Stage": self.stage.name, **values}

    def application_parameters(self, image: str, found: preflight.Account) -> dict[str, str]:
        """Return the application stack's parameters: the stacks' outputs, then the stage's file over them."""
        outputs = self.stage.outputs(self.stage.application_stack)
        platform = {"RenderPlatform": found.render_platform} if found.render_platform else {}
        addresses = {
            "PlatformUrl": outputs.get("PlatformApiUrl", PENDING),
            "IngestionUrl": outputs.get("IngestionApiUrl", PENDING),
        }
        given = self.stage.parameters()
        url = given.get("PlatformUrl", addresses["PlatformUrl"])
        pages = {"CorsOrigins": url, "OAuthRedirects": f"{url}/oauth"}
        host = self.stage.output(self.stage.data_stack, "DatabaseHost")
        values = {
            "Stage": self.stage.name,
            "ImageUri": image,
            "DatabaseHost": host,
            **platform,
            **addresses,
            **pages,
            **given,
        }
        return {**values, "Release": building.release_of(values)}

    def own_origins(self) -> dict[str, str]:
        """Return the origins that may use the media bucket: without a dashboard, the API's own address."""
        url = self.stage.outputs(self.stage.application_stack).get("PlatformApiUrl")
        return {"CorsOrigins": self.stage.parameters().get("PlatformUrl", url)} if url else {}

    def deploy_data(self, built: Path, found: preflight.Account) -> None:
        values = self.data_parameters(found)
        if self.is_restoring() and self.stage.deployed(self.stage.data_stack).get("Protected") == "true":
            # The cluster that is replaced must be allowed to go, or it would stay behind, unknown to any
            # stack and paid for.
            unchanged = {
                name: value
                for name, value in values.items()
                if name not in ("DatabaseSnapshot", "DatabaseGeneration")
            }
            self.sam_deploy(built, self.stage.data_stack, {**unchanged, **self.kept(), "Protected": "false"})
        self.sam_deploy(built, self.stage.data_stack, values)

    def is_restoring(self) -> bool:
        return (
            bool(self.snapshot)
            and self.stage.deployed(self.stage.data_stack).get("DatabaseSnapshot") != self.snapshot
        )

    def kept(self) -> dict[str, str]:
        deployed = self.stage.deployed(self.stage.data_stack)
        return {
            name: deployed[name] for name in ("DatabaseSnapshot", "DatabaseGeneration") if deployed.get(name)
        }

    def deploy_application(self, built: Path, image: str, found: preflight.Account) -> None:
        """Deploy until the parameters agree with the stacks' outputs.

        An API's address is known only once the API exists, so the first deployment takes two passes.
        """
        for _ in range(PASSES):
            wanted = self.application_parameters(image, found)
            self.sam_deploy(built, self.stage.application_stack, wanted)
            if self.application_parameters(image, found) == wanted:
                return
        raise Refused(
            f"stack {self.stage.application_stack} says another address after each deployment; run it again",
            code=1,
        )

    def sam_deploy(self, built: Path, stack: str, values: Mapping[str, str]) -> None:
        refuse_placeholders(dict(values), f"stages/{self.stage.name}.toml")
        try:
            run(
                sam_command(self.stage.name, self.stage.region(), built, stack, values),
                environment=building.sam_environment(),
            )
        except Refused as failure:
            reasons = "".join(f"\n    {reason}" for reason in self.stage.failures(stack))
            raise Refused(f"{failure}{reasons}", code=1) from failure

    def keep_from_deletion(self) -> None:
        for stack in (self.stage.data_stack, self.stage.application_stack):
            if not (self.stage.stack(stack) or {}).get("EnableTerminationProtection"):
                self.stage.aws("cloudformation").update_termination_protection(
                    StackName=stack, EnableTerminationProtection=True
                )

    # ------------------------------------------------------------ Between them

    def migrate(self) -> None:
        """Migrate the database before the application that needs it is deployed.

        The old application's functions go on meanwhile, so a migration only adds.
        """
        print("Migrating the database ...", flush=True)
        try:
            answer = self.stage.invoke_migrate({}, MIGRATE_TIMEOUT_S)
        except Refused as failure:
            raise Refused(
                f"the migration failed, and the application stack was left as it is: {failure}", code=1
            ) from failure
        print(f"Applied: {', '.join(answer['applied']) or 'nothing new'}.", flush=True)

    def note_deletions(self) -> None:
        """Before a restore: keep what was deleted on request since the snapshot, which would bring it back.

        Kept in a file, because the database that knows it is gone afterwards and this run may be interrupted.
        """
        if not self.is_restoring():
            return
        snapshots = self.stage.aws("rds").describe_db_cluster_snapshots(
            DBClusterSnapshotIdentifier=self.snapshot
        )["DBClusterSnapshots"]
        since = snapshots[0]["SnapshotCreateTime"].isoformat()
        try:
            answer = self.stage.invoke_migrate({"command": "deletions", "since": since}, MIGRATE_TIMEOUT_S)
        except Refused as failure:
            print(f"note: what was deleted on request since {since} is not known, and comes back: {failure}")
            return
        self.noted.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.noted.write_text(json.dumps(answer["deletions"]), encoding="utf-8")

    @property
    def noted(self) -> Path:
        """The file of `note_deletions`. It holds ids only."""
        return HOME / "restores" / f"{self.stage.name}-{self.snapshot}.json"

    def repeat_deletions(self) -> None:
        """After a restore: delete again what was deleted on request since the snapshot."""
        if self.snapshot and self.noted.exists():
            noted = json.loads(self.noted.read_text(encoding="utf-8"))
            self.stage.invoke_migrate({"command": "delete", "deletions": noted}, MIGRATE_TIMEOUT_S)
            print(f"Deleted again: {len(noted)} things, on requests since the snapshot.", flush=True)
            self.noted.unlink()

    def push_image(self, engine: str, account: str, region: str) -> str:
        """Build and push the render image. Returns its address by digest.

        A tag could be moved; the digest is what was pushed.
        """
        repository, tag = (
            self.stage.output(self.stage.data_stack, "RenderRepository"),
            building.render_version(),
        )
        if not self.digest(repository, tag):
            self.login(engine, f"{account}.dkr.ecr.{region}.amazonaws.com")
            for command in image_commands(engine, f"{repository}:{tag}"):
                run(command)
        digest = self.digest(repository, tag)
        if digest is None:
            raise Refused(
                f"the render image was pushed, but {repository} has no tag {tag}; run it again", code=1
            )
        return f"{repository}@{digest}"

    def login(self, engine: str, registry: str) -> None:
        """Log in to the registry.

        The password goes through a pipe: other users of the machine can read a command's arguments.
        """
        answer = self.stage.aws("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(answer).decode().partition(":")[2]
        done = subprocess.run(
            login_command(engine, registry), input=password, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise Refused(f"{engine} could not log in to {registry}: {done.stderr.strip()[-300:]}", code=1)

    def digest(self, repository: str, tag: str) -> str | None:
        client = self.stage.aws("ecr")
        try:
            found = client.describe_images(
                repositoryName=repository.partition("/")[2], imageIds=[{"imageTag": tag}]
            )
        except client.exceptions.ImageNotFoundException:
            return None
        return str(found["imageDetails"][0]["imageDigest"])

    def end_old_revisions(self) -> None:
        """Deregister job definitions of earlier releases, unless an execution runs that may name one."""
        machine = self.stage.output(self.stage.application_stack, "ProductionMachineArn")
        if self.stage.aws("stepfunctions").list_executions(
            stateMachineArn=machine, statusFilter="RUNNING", maxResults=1
        )["executions"]:
            print(
                "Productions are running: earlier job definitions stay until a later deployment finds none.",
                flush=True,
            )
            return
        client = self.stage.aws("batch")
        for kind in ("gpu", "cpu"):
            pages = client.get_paginator("describe_job_definitions").paginate(
                jobDefinitionName=f"showrunner-{self.stage.name}-render-{kind}", status="ACTIVE"
            )
            revisions = sorted(
                (each["revision"], each["jobDefinitionArn"])
                for page in pages
                for each in page["jobDefinitions"]
            )
            for _, arn in revisions[:-KEPT_REVISIONS]:
                client.deregister_job_definition(jobDefinition=arn)

    def end_old_versions(self) -> None:
        """Delete versions of the API's functions that are older than the current one and the one before it.

        CloudFormation keeps them all, and the account may store 75 GB of them.
        """
        client = self.stage.aws("lambda")
        for alias in self.stage.physical_ids(self.stage.application_stack, "AWS::Lambda::Alias"):
            name = alias.rpartition(":")[0]
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            numbers = [each["Version"] for page in pages for each in page["Versions"]]
            for number in sorted(int(each) for each in numbers if each != "$LATEST")[:-KEPT_REVISIONS]:
                client.delete_function(FunctionName=name, Qualifier=str(number))


class Rehearsal:
    """DRY_RUN=1: the same parts in the same order, each printed as the command to type.

    Needs no account and asks none.
    """

    def __init__(self, stage: str) -> None:
        self.stage = Stage(stage)

    def deploy(self) -> None:
        account, region = (
            "$(aws sts get-caller-identity --query Account --output text)",
            os.environ.get("AWS_REGION", "$AWS_REGION"),
        )
        name, built = self.stage.name, building.BUILDS / building.version()
        print(
            f"# fill in stages/{name}.toml, then: make preflight STAGE={name} lists what the account "
            "lacks, each with its command"
        )
        print(
            f"# once: make keys STAGE={name} makes the stage's KMS key, then "
            f"asks for {', '.join([*BROUGHT, *OPTIONAL])}; make deploy makes {', '.join(MADE)}"
        )
        print("make build")
        print("# PROTECTED=false for the first deployment, true once both stacks stand")
        self.tell(
            sam_command(
                name,
                region,
                built / "data",
                self.stage.data_stack,
                {"Stage": name, **self.stage.parameters(), "Protected": "$PROTECTED"},
            )
        )
        print(
            f"aws lambda invoke --function-name {self.lookup(self.stage.data_stack, 'MigrateFunction')} "
            f"--cli-read-timeout {MIGRATE_TIMEOUT_S} /dev/stdout"
        )
        repository, registry = (
            self.lookup(self.stage.data_stack, "RenderRepository"),
            f"{account}.dkr.ecr.{region}.amazonaws.com",
        )
        print(f"repository={repository}")
        print(f"aws ecr get-login-password | docker login --username AWS --password-stdin {registry}")
        for command in image_commands("docker", f"$repository:{building.render_version()}"):
            self.tell(command)
        digest = "--query imageDetails[0].imageDigest --output text"
        print(
            f'digest=$(aws ecr describe-images --repository-name "${{repository#*/}}" --image-ids '
            f"imageTag={building.render_version()} {digest})"
        )
        print(
            f"# first with PLATFORM_URL={PENDING} and INGESTION_URL={PENDING}, then with the stack's "
            "outputs PlatformApiUrl and IngestionApiUrl"
        )
        values = {
            "Stage": name,
            "ImageUri": "$repository@$digest",
            "DatabaseHost": self.lookup(self.stage.data_stack, "DatabaseHost"),
        }
        pages = {"CorsOrigins": "$PLATFORM_URL", "OAuthRedirects": "$PLATFORM_URL/oauth"}
        values |= {
            "PlatformUrl": "$PLATFORM_URL",
            "IngestionUrl": "$INGESTION_URL",
            **pages,
            **self.stage.parameters(),
        }
        values["Release"] = building.release_of(values)
        self.tell(sam_command(name, region, built / "application", self.stage.application_stack, values))
        print(
            "aws lambda invoke --invocation-type Event --function-name "
            f"{self.lookup(self.stage.application_stack, 'VoiceCheckFunction')} /dev/stdout"
        )
        print(f"# then: make admin STAGE={name} EMAIL=<you>; make smoke STAGE={name}")

    def tell(self, command: list[str | Path]) -> None:
        print(
            line(
                *(
                    part.relative_to(ROOT) if isinstance(part, Path) and part.is_relative_to(ROOT) else part
                    for part in command
                )
            )
        )

    def lookup(self, stack: str, key: str) -> str:
        query = f"\"Stacks[0].Outputs[?OutputKey=='{key}'].OutputValue\""
        return f"$(aws cloudformation describe-stacks --stack-name {stack} --query {query} --output text)"


def sam_command(
    stage: str, region: str, built: Path, stack: str, values: Mapping[str, str]
) -> list[str | Path]:
    """Return the command that deploys a stack; nothing else changes one.

    Parameters that the template does not declare belong to the other stack and are left out.
    """
    template = built / "template.yaml"
    known = declared(template) if template.exists() else declared(building.TEMPLATES[built.name])
    overrides = [f"{name}={value}" for name, value in values.items() if name in known]
    command: list[str | Path] = [
        python_of("sam").with_name("sam"),
        "deploy",
        "--config-file",
        ROOT / "samconfig.toml",
        "--config-env",
        stage,
        "--region",
        region,
    ]
    return [*command, "--template-file", template, "--stack-name", stack, "--parameter-overrides", *overrides]


def image_commands(engine: str, tag: str) -> list[list[str | Path]]:
    build: list[str | Path] = [
        engine,
        "build",
        "--platform",
        "linux/amd64",
        "--file",
        ROOT / "functions" / "render" / "Dockerfile",
        "--tag",
        tag,
    ]
    build += ["--build-context", f"lock={ROOT / 'local' / 'lock'}", ROOT / "functions"]
    return [build, [engine, "push", tag]]


def login_command(engine: str, registry: str) -> list[str]:
    return [engine, "login", "--username", "AWS", "--password-stdin", registry]


def run(command: list[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
    """Run the command with its output on the terminal: pushing and deploying take minutes, and may ask."""
    print(f"+ {line(*command)}", flush=True)
    done = subprocess.run(list(map(str, command)), env=environment, cwd=ROOT, check=False)
    if done.returncode:
        raise Refused(
            f"{Path(command[0]).name} {command[1]} failed with status {done.returncode}; what came before "
            "it stays deployed",
            code=1,
        )


def line(*parts: str | Path) -> str:
    """Return the command as it would be typed.

    A part with a shell variable in it is quoted so that the shell still fills it in.
    """
    return " ".join(f'"{part}"' if "$" in str(part) else shlex.quote(str(part)) for part in parts)
