"""`make preflight STAGE=dev`: list all at once what the account lacks, each with the command to get it."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from local import build
from local.settings import Refused
from local.stages import secrets
from local.stages.stage import Stage, refuse_region
from showrunner.errors import ShowrunnerError
from showrunner.platforms.voice_catalogue import VoiceCatalogue
from showrunner.production import voices

# Parameters that nobody but the stage's owner knows.
WANTED = {"AlarmEmail": "where alarms go", "MailFrom": "the sender of letters to users, verified with SES"}
# Lambda keeps this many executions for functions without a reservation: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNRESERVED = 100
# What a render takes, on either platform.
RENDER_VCPUS = 4
NAT_TYPE = "t4g.micro"
ELEVENLABS = "https://api.elevenlabs.io"
GPU_TYPES = ("g6.xlarge", "g5.xlarge", "g4dn.xlarge")

DOMAINS = ("PlatformDomain", "IngestionDomain", "LiveDomain")

# (service, quota) of Service Quotas: https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
LAMBDA_CONCURRENCY = ("lambda", "L-B99A9384")
GPU_SPOT = ("ec2", "L-3819A6DF")
GPU_ON_DEMAND = ("ec2", "L-DB2E81BA")
FARGATE = ("fargate", "L-3032A538")
ADDRESSES = ("ec2", "L-0263D0A3")


class Finding(NamedTuple):
    """A missing thing (`blocks`) or a warning, with the remedy."""

    blocks: bool
    what: str
    remedy: str


@dataclass
class Account:
    """The findings of preflight, and the parameters that it derives for the deployment."""

    findings: list[Finding]
    zones: list[str]
    render_platform: str | None
    api_logs: str


def preflight(stage: Stage) -> Account:
    """Ask the account and this machine.

    Raises Refused only for what makes asking impossible: no region, no credentials, no file.
    """
    refuse_region(stage.region())
    stage.caller()
    given = stage.parameters()
    zones, zone_findings = find_zones(stage)
    platform, gpu_findings = rendering(stage, given)
    findings = [
        *unfilled(stage, given),
        *tools(),
        *missing_secrets(stage),
        *concurrency(stage),
        *gpu_findings,
        *mail(stage, given.get("MailFrom")),
        *certificate(stage, given),
        *unusable_voices(stage, given.get("Voices", "")),
        *zone_findings,
    ]
    findings += addresses(stage, given)
    return Account(findings, zones, platform, api_logs(stage))


def require(stage: Stage) -> Account:
    """Run preflight and print its findings. Raises Refused if something is missing."""
    found = preflight(stage)
    blocking = [finding for finding in found.findings if finding.blocks]
    for finding in sorted(found.findings, key=lambda finding: not finding.blocks):
        print(
            f"  {'missing' if finding.blocks else 'note':<8} {finding.what}\n           {finding.remedy}",
            flush=True,
        )
    if blocking:
        raise Refused(
            f"{len(blocking)} of these have to be there first; then run it again (make preflight "
            f"STAGE={stage.name} only looks)"
        )
    return found


def unfilled(stage: Stage, given: dict[str, str]) -> Iterator[Finding]:
    for name, what in WANTED.items():
        if name not in given:
            yield Finding(
                blocks=True,
                what=f"{name} ({what}) is empty",
                remedy=f"fill it in, in stages/{stage.name}.toml",
            )
    if given.get("Egress") == "none":
        yield Finding(
            blocks=True,
            what="Egress = none leaves the functions of the VPC without AWS, Google and YouTube",
            remedy="take instance or gateway",
        )


def tools() -> Iterator[Finding]:
    if container_engine() is None:
        yield Finding(
            blocks=True,
            what="neither docker nor podman runs here, and the render image is built with one of them",
            remedy="start one",
        )


def container_engine() -> str | None:
    for name in ("docker", "podman"):
        if (
            shutil.which(name)
            and subprocess.run([name, "info"], capture_output=True, timeout=30, check=False).returncode == 0
        ):
            return name
    return None


def missing_secrets(stage: Stage) -> Iterator[Finding]:
    there = stage.secrets_there([*secrets.BROUGHT, *secrets.OPTIONAL])
    missing = [service.title for name, service in secrets.BROUGHT.items() if name not in there]
    if missing:
        yield Finding(
            blocks=True,
            what=f"keys of {', '.join(missing)} are not in SSM",
            remedy=f"make keys STAGE={stage.name}",
        )
    for name, service in secrets.OPTIONAL.items():
        if name not in there:
            yield Finding(
                blocks=False,
                what=f"{name} is not in SSM: {service.without}",
                remedy=f"make keys STAGE={stage.name}",
            )


def request_line(quota: tuple[str, str], value: int) -> str:
    service, code = quota
    return (
        f"aws service-quotas request-service-quota-increase --service-code {service} "
        f"--quota-code {code} --desired-value {value}"
    )


def quota_of(stage: Stage, quota: tuple[str, str]) -> float:
    """Return the account's value of a quota, or AWS's default if the account has none of its own."""
    client = stage.aws("service-quotas")
    try:
        found = client.get_service_quota(ServiceCode=quota[0], QuotaCode=quota[1])
    except client.exceptions.NoSuchResourceException:
        found = client.get_aws_default_service_quota(ServiceCode=quota[0], QuotaCode=quota[1])
    return float(found["Quota"]["Value"])


def concurrency(stage: Stage) -> Iterator[Finding]:
    allowed = int(stage.aws("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    needed = reserved() + UNRESERVED
    if allowed < needed:
        what = (
            f"Lambda allows {allowed} executions at once; "
            f"this stage reserves {reserved()} and AWS keeps {UNRESERVED} for the rest"
        )
        yield Finding(
            blocks=True,
            what=what,
            remedy=f"{request_line(LAMBDA_CONCURRENCY, 1000)}  (an answer takes hours to days)",
        )


def reserved() -> int:
    """Return how many executions both templates reserve. A value from a parameter counts at its largest."""
    total = 0
    for template in build.TEMPLATES.values():
        text = template.read_text(encoding="utf-8")
        for line in text.splitlines():
            name, _, value = line.split("#")[0].strip().partition(": ")
            if name == "ReservedConcurrentExecutions":
                parameter = value.removeprefix("!Ref ").strip()
                total += (
                    int(value)
                    if value.strip().isdigit()
                    else build.number_of_parameter(parameter, "MaxValue", text)
                )
    return total


def rendering(stage: Stage, given: dict[str, str]) -> tuple[str | None, list[Finding]]:
    """Return the render platform for an account that may start no GPU, and what to request.

    The platform is None if the stage's file or the template's default decides.
    """
    gpu = max(quota_of(stage, GPU_SPOT), quota_of(stage, GPU_ON_DEMAND))
    asked = given.get("RenderPlatform")
    findings = []
    if gpu < RENDER_VCPUS:
        remedy = f"{request_line(GPU_SPOT, 64)}; {request_line(GPU_ON_DEMAND, 32)}"
        what = (
            f"this account may start no GPU instance ({gpu:.0f} of {RENDER_VCPUS} vCPUs), "
            "so videos are rendered on Fargate"
        )
        findings.append(Finding(blocks=asked == "gpu", what=what, remedy=remedy))
    if gpu < RENDER_VCPUS and (fargate := quota_of(stage, FARGATE)) < RENDER_VCPUS:
        findings.append(
            Finding(
                blocks=True,
                what=f"Fargate allows {fargate:.0f} vCPUs, a render takes {RENDER_VCPUS}",
                remedy=request_line(FARGATE, 64),
            )
        )
    return ("cpu" if gpu < RENDER_VCPUS and asked is None else None), findings


def mail(stage: Stage, sender: str | None) -> Iterator[Finding]:
    client = stage.aws("sesv2")
    account = client.get_account()
    if set(account.get("SuppressionAttributes", {}).get("SuppressedReasons", [])) != {"BOUNCE", "COMPLAINT"}:
        yield Finding(
            blocks=False,
            what="SES goes on sending to addresses that bounce or complain, for which it closes accounts",
            remedy="aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT",
        )
    if not account.get("ProductionAccessEnabled"):
        remedy = (
            "aws sesv2 put-account-details --production-access-enabled "
            "--mail-type TRANSACTIONAL --website-url <your site>"
        )
        yield Finding(
            blocks=False,
            what="SES is in its sandbox: letters reach only addresses that are verified here",
            remedy=remedy,
        )
    if sender and not any(_is_verified(client, identity) for identity in (sender, sender.partition("@")[2])):
        yield Finding(
            blocks=True,
            what=f"SES has verified neither {sender} nor its domain",
            remedy=f"aws sesv2 create-email-identity --email-identity {sender}",
        )


def unusable_voices(stage: Stage, setting: str) -> Iterator[Finding]:
    """Ask ElevenLabs for each voice of the stage, if its key is there."""
    key = stage.secrets_there(["elevenlabs/api_key"]).get("elevenlabs/api_key")
    for name, voice_id in voices.configured(setting).items() if key else ():
        try:
            problem = VoiceCatalogue(str(key), ELEVENLABS).look_up(voice_id).problem
        except ShowrunnerError as error:
            problem = error.message
        if problem:
            yield Finding(
                blocks=False,
                what=f"the voice {name} ({voice_id}) can't be used: {problem}",
                remedy=f"put the id of another voice of the account into Voices of stages/{stage.name}.toml",
            )


def _is_verified(client: Any, identity: str) -> bool:
    try:
        return bool(client.get_email_identity(EmailIdentity=identity)["VerifiedForSendingStatus"])
    except client.exceptions.NotFoundException:
        return False


def certificate(stage: Stage, given: dict[str, str]) -> Iterator[Finding]:
    """Yield what is missing for the stage's domains: an issued certificate in ACM that covers them."""
    # Behind CloudFront only the Live API has a domain here.
    here = DOMAINS if given.get("Edge", "off") == "off" else ("LiveDomain",)
    domains = [given[name] for name in here if name in given]
    if not domains:
        return
    request = f"aws acm request-certificate --validation-method DNS --domain-name {domains[0]}"
    if domains[1:]:
        request += f" --subject-alternative-names {' '.join(domains[1:])}"
    arn = given.get("CertificateArn")
    if not arn:
        what = f"{', '.join(domains)} need a certificate: CertificateArn is empty in stages/{stage.name}.toml"
        yield Finding(blocks=True, what=what, remedy=request)
        return
    found = stage.aws("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    if found["Status"] != "ISSUED":
        yield Finding(
            blocks=True,
            what=f"the certificate {arn} is {found['Status']}, not ISSUED",
            remedy="add the CNAME records that `aws acm describe-certificate` shows; then wait some minutes",
        )
    names = found.get("SubjectAlternativeNames", [found["DomainName"]])
    if missing := [domain for domain in domains if not _is_covered(domain, names)]:
        what = f"the certificate {arn} doesn't cover {', '.join(missing)}"
        yield Finding(blocks=True, what=what, remedy=request)


def _is_covered(domain: str, names: list[str]) -> bool:
    """Tell whether a certificate's names have the domain; a star stands for its first label only."""
    return domain in names or f"*.{domain.partition('.')[2]}" in names


def find_zones(stage: Stage) -> tuple[list[str], list[Finding]]:
    """Return two availability zones, preferring those with the NAT's instance type and a GPU.

    A deployed stage keeps its zones: others would replace its subnets.
    """
    if stage.has_data_stack():
        deployed = stage.deployed(stage.data_stack)
        return [deployed.get("ZoneA", ""), deployed.get("ZoneB", "")], []
    wanted = (NAT_TYPE, *GPU_TYPES)
    paginator = stage.aws("ec2").get_paginator("describe_instance_type_offerings")
    offered: dict[str, set[str]] = {}
    for page in paginator.paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(wanted)}]
    ):
        for offer in page["InstanceTypeOfferings"]:
            offered.setdefault(offer["Location"], set()).add(offer["InstanceType"])
    usable = [zone for zone, types in offered.items() if NAT_TYPE in types]
    best = sorted(usable, key=lambda zone: (-len(offered[zone] & set(GPU_TYPES)), zone))[:2]
    if len(best) < 2:
        what = f"{stage.region()} has {len(best)} availability zones with {NAT_TYPE}, and two are needed"
        return [], [Finding(blocks=True, what=what, remedy="deploy to another region")]
    without = [zone for zone in best if not offered[zone] & set(GPU_TYPES)]
    note = Finding(
        blocks=False,
        what=f"{', '.join(without)} has none of {', '.join(GPU_TYPES)}",
        remedy="RenderPlatform = 'cpu' renders on Fargate",
    )
    return sorted(best), [note] if without else []


def addresses(stage: Stage, given: dict[str, str]) -> Iterator[Finding]:
    if given.get("Egress") == "gateway" and not stage.has_data_stack():
        used = len(stage.aws("ec2").describe_addresses()["Addresses"])
        allowed = quota_of(stage, ADDRESSES)
        if used >= allowed:
            what = f"the NAT gateway needs an Elastic IP, and all {allowed:.0f} are in use"
            yield Finding(blocks=True, what=what, remedy=request_line(ADDRESSES, int(allowed) + 1))


def api_logs(stage: Stage) -> str:
    """Return "keep" if the account has a role for API Gateway's logs that this stage did not make."""
    deployed = stage.deployed(stage.data_stack)
    if deployed.get("ApiLogs"):
        return deployed["ApiLogs"]
    return "keep" if stage.aws("apigateway").get_account().get("cloudwatchRoleArn") else "make"
