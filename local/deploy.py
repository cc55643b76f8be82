"""Deploy the unmodified templates to the local engine.

In order: secrets, data stack, migrations, application stack, then an organisation and a channel to work with.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import boto3
import httpx
import pg8000.native

from local import access, postgres, processes
from local.build import declared, release_of, sam_environment
from local.settings import (
    ACCOUNT,
    APPLICATION_STACK,
    DATA_STACK,
    DATABASE,
    HOME,
    REGION,
    ROOT,
    STAGE,
    Refused,
    address,
    aws_environment,
    python_of,
)
from local.voice.ids import FEMALE, LANGUAGES, MALE
from showrunner.access import tokens

ORGANISATION = "00000000-0000-4000-8000-000000000001"
CHANNEL = "Demo channel"
SCOPES = ["channels:read", "channels:write", "videos:all", "live:read", "internal:all"]
# Where the real services answer; used with the person's own keys. An address from the environment wins, as in
# the services' own SDKs.
OPENAI = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
ELEVENLABS = os.environ.get("ELEVENLABS_BASE_URL") or "https://api.elevenlabs.io"
GOOGLE = "https://accounts.google.com"
# Where a dashboard's development server listens.
DASHBOARD = "http://localhost:5173"
# The sender of the stage's emails. SES sends only from verified addresses, so verify_sender is called first.
MAIL_FROM = "showrunner@localhost.invalid"
# Somebody who tries things out makes many more calls than a user does.
LOCAL_RATE_LIMIT_FACTOR = 10
PEXELS = os.environ.get("PEXELS_BASE_URL") or "https://api.pexels.com"
# Fixed, unlike the one that `sam --resolve-s3` makes: it is kept over restarts of the engine.
DEPLOY_BUCKET = f"showrunner-deploy-{STAGE}"
MARKER = f"/showrunner/{STAGE}/launcher/deployed"


def deploy(build: Path) -> bool:
    """Deploy what has changed. Returns True if anything had to be deployed.

    The engine itself remembers what it has, so one that was started anew is filled again.
    """
    key = access.signing_key(HOME)
    wanted = version(build, key)
    ssm = aws("ssm")
    if deployed(ssm) == wanted and all(map(is_complete, (DATA_STACK, APPLICATION_STACK))):
        return False
    begun = time.monotonic()
    print("Deploying to the local engine ...", flush=True)
    seed_secrets(ssm, key)
    verify_sender(aws("ses"))
    ensure_bucket()
    # Zipping and uploading the application takes longer than the data stack with its migrations, which goes
    # on meanwhile.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        packaged = pool.submit(sam_package, build / "application")
        sam_deploy(sam_package(build / "data"), DATA_STACK)
        migrate()
        sam_deploy(packaged.result(), APPLICATION_STACK)
    check_voices()
    ensure_organisation()
    with client() as api:
        ensure_channel(api)
    ssm.put_parameter(Name=MARKER, Value=wanted, Type="String", Overwrite=True)
    print(f"Deployed in {time.monotonic() - begun:.0f} s.", flush=True)
    return True


def version(build: Path, key: Any) -> str:
    values = json.dumps([build.name, parameters(), secrets(key)], sort_keys=True)
    return hashlib.sha256(values.encode()).hexdigest()


def deployed(ssm: Any) -> str | None:
    try:
        return str(ssm.get_parameter(Name=MARKER)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None


def is_complete(stack: str) -> bool:
    """Return True if the engine has this stack. After a restart it has secrets and objects, but no stacks."""
    client = aws("cloudformation")
    try:
        return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]) in (
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
        )
    except client.exceptions.ClientError:
        return False


def ensure_bucket() -> None:
    s3 = aws("s3")
    if DEPLOY_BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=DEPLOY_BUCKET)


def aws(service: str) -> Any:
    """Return a client of the engine, whatever profile the person's environment names."""
    settings = aws_environment()
    session = boto3.Session(
        settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    client: Callable[..., Any] = session.client
    return client(service, endpoint_url=settings["AWS_ENDPOINT_URL"])


def parameters() -> dict[str, str]:
    language, voice = os.environ.get("OPENAI_API_KEY"), os.environ.get("ELEVENLABS_API_KEY")
    return {
        "Stage": STAGE,
        "DatabaseHost": DATABASE.host,
        "DatabasePort": str(DATABASE.port),
        "DatabaseName": DATABASE.name,
        "DatabaseOwner": DATABASE.user,
        "OpenAiBaseUrl": OPENAI if language else f"{address('LANGUAGE_PORT')}/v1",
        "VoiceLanguages": "en,es,fr,de" if voice else ",".join(LANGUAGES),
        "ElevenLabsBaseUrl": ELEVENLABS if voice else address("VOICE_PORT"),
        # The stand-in's own voices; with a key of your own, name those of your account.
        "Voices": os.environ.get("VOICES") or (" " if voice else f"female1={FEMALE},male1={MALE}"),
        "PexelsBaseUrl": PEXELS if os.environ.get("PEXELS_API_KEY") else address("PLATFORMS_PORT"),
        **({} if os.environ.get("PEXELS_API_KEY") else _stand_in_hosts()),
        **_free_libraries(),
        "AirtableBaseUrl": address("PLATFORMS_PORT"),
        "StripeBaseUrl": address("PLATFORMS_PORT"),
        "PlatformUrl": address("PLATFORM_PORT"),
        "IngestionUrl": address("INGESTION_PORT"),
        # Nothing of this stage asks YouTube or Google's hub unless somebody points it there.
        "HubUrl": os.environ.get("HUB_URL") or f"{address('PLATFORMS_PORT')}/subscribe",
        "TopicBaseUrl": os.environ.get("TOPIC_BASE_URL") or "https://www.youtube.com",
        "FeedBaseUrl": os.environ.get("FEED_BASE_URL") or address("PLATFORMS_PORT"),
        "SpotifyBaseUrl": os.environ.get("SPOTIFY_BASE_URL") or address("PLATFORMS_PORT"),
        "SpotifyAccountsUrl": os.environ.get("SPOTIFY_ACCOUNTS_URL") or address("PLATFORMS_PORT"),
        "SpotifyMode": os.environ.get("SPOTIFY_MODE") or "extended",
        "TikTokApiUrl": os.environ.get("TIKTOK_API_URL") or address("PLATFORMS_PORT"),
        "TikTokLoginUrl": os.environ.get("TIKTOK_LOGIN_URL") or address("PLATFORMS_PORT"),
        "InstagramApiUrl": os.environ.get("INSTAGRAM_API_URL") or address("PLATFORMS_PORT"),
        "InstagramLoginUrl": os.environ.get("INSTAGRAM_LOGIN_URL") or address("PLATFORMS_PORT"),
        "InstagramOAuthUrl": os.environ.get("INSTAGRAM_OAUTH_URL") or address("PLATFORMS_PORT"),
        "YouTubeAnalyticsUrl": os.environ.get("YOUTUBE_ANALYTICS_URL") or address("PLATFORMS_PORT"),
        "YouTubeBaseUrl": os.environ.get("YOUTUBE_BASE_URL") or address("PLATFORMS_PORT"),
        "ReportingUrl": os.environ.get("REPORTING_URL") or address("PLATFORMS_PORT"),
        "ContentIdUrl": os.environ.get("CONTENT_ID_URL") or address("PLATFORMS_PORT"),
        "YouTubeUploadUrl": os.environ.get("YOUTUBE_UPLOAD_URL") or address("PLATFORMS_PORT"),
        "GoogleUrl": os.environ.get("GOOGLE_URL")
        or (GOOGLE if os.environ.get("GOOGLE_CLIENT_ID") else address("PLATFORMS_PORT")),
        "HttpHosts": "127.0.0.1,localhost",
        "CallbackUrls": os.environ.get("CALLBACK_URLS")
        or f"{address('INGESTION_PORT').replace('127.0.0.1', 'localhost')}/webhook",
        "LiveUrl": address("LIVE_PORT").replace("http", "ws", 1),
        "RenderPlatform": "cpu",
        "Egress": "none",
        "Protected": "false",
        "CorsOrigins": DASHBOARD,
        "OAuthRedirects": f"{DASHBOARD}/oauth",
        "MailFrom": MAIL_FROM,
        # The engine runs the job definition's command as a process; what image it names is not looked at.
        "ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/showrunner-render:local",
        "Demo": "false" if language and voice else "true",
        "RateLimitFactor": os.environ.get("RATE_LIMIT_FACTOR") or str(LOCAL_RATE_LIMIT_FACTOR),
    }


def _stand_in_hosts() -> dict[str, str]:
    """Return where files of the stand-in for Pexels are fetched from."""
    return {
        "PexelsPhotoHost": f"{address('PLATFORMS_PORT')}/",
        "PexelsVideoHost": f"{address('PLATFORMS_PORT')}/",
    }


def _free_libraries() -> dict[str, str]:
    """Return where Pixabay, Wikimedia Commons and NASA are asked: with a key for Pixabay, the real ones."""
    if os.environ.get("PIXABAY_API_KEY"):
        return {}
    server = address("PLATFORMS_PORT")
    return {
        "PixabayBaseUrl": server,
        "PixabayPhotoHost": f"{server}/",
        "PixabayVideoHost": f"{server}/",
        "CommonsBaseUrl": server,
        "CommonsFileHost": f"{server}/",
        "NasaBaseUrl": f"{server}/nasa",
        "NasaFileHost": f"{server}/",
    }


def secrets(key: Any) -> dict[str, str]:
    """Return the stage's secrets by name below /showrunner/<stage>/.

    Without a key from the environment a service gets "local": the stand-ins take any.
    """
    wanted = {
        "openai/api_key": os.environ.get("OPENAI_API_KEY") or "local",
        "elevenlabs/api_key": os.environ.get("ELEVENLABS_API_KEY") or "local",
        "pexels/api_key": os.environ.get("PEXELS_API_KEY") or "local",
        "pixabay/api_key": os.environ.get("PIXABAY_API_KEY") or "",
        "youtube/api_key": os.environ.get("YOUTUBE_API_KEY") or "local",
        "spotify/client_id": os.environ.get("SPOTIFY_CLIENT_ID") or "local",
        "spotify/client_secret": os.environ.get("SPOTIFY_CLIENT_SECRET") or "local",
        "tiktok/client_key": os.environ.get("TIKTOK_CLIENT_KEY") or "local",
        "tiktok/client_secret": os.environ.get("TIKTOK_CLIENT_SECRET") or "local",
        "instagram/client_id": os.environ.get("INSTAGRAM_CLIENT_ID") or "local",
        "instagram/client_secret": os.environ.get("INSTAGRAM_CLIENT_SECRET") or "local",
        "google/client_id": os.environ.get("GOOGLE_CLIENT_ID") or "local",
        "google/client_secret": os.environ.get("GOOGLE_CLIENT_SECRET") or "local",
        **postgres.secrets_of(HOME),
        "auth/signing_key": json.dumps(key),
        "auth/jwks": json.dumps(tokens.jwk_set(key)),
    }
    return {name: value for name, value in wanted.items() if value}


# A rotation has replaced these, perhaps; tokens of the first key stay valid.
ROTATED = ("auth/signing_key", "auth/jwks", "database/password")


def seed_secrets(ssm: Any, key: Any) -> None:
    """Put the secrets into SSM; those that a rotation replaces only if they are not there."""
    names = {name: f"/showrunner/{STAGE}/{name}" for name in secrets(key)}
    there = ssm.get_parameters(Names=[names[name] for name in ROTATED])["Parameters"]
    kept = {each["Name"] for each in there}
    for name, value in secrets(key).items():
        if names[name] not in kept:
            ssm.put_parameter(Name=names[name], Value=value, Type="SecureString", Overwrite=True)


def verify_sender(ses: Any) -> None:
    """Verify the sender's address with SES, which refuses emails from any other."""
    ses.verify_email_identity(EmailAddress=MAIL_FROM)


def sam_package(built: Path) -> Path:
    """Upload the code of a template. Returns the path of the template that names the uploaded code.

    A build never changes, and the bucket outlives the engine: what is uploaded already is used again.
    """
    packaged = HOME / "run" / f"{built.parent.name}.{built.name}.yaml"
    if packaged.exists() and is_uploaded(packaged):
        return packaged
    command = [
        python_of("sam").with_name("sam"),
        "package",
        "--template-file",
        built / "template.yaml",
        "--s3-bucket",
        DEPLOY_BUCKET,
    ]
    packaged.parent.mkdir(parents=True, exist_ok=True)
    partial = packaged.with_suffix(".partial")
    sam([*command, "--output-template-file", partial], f"package.{built.name}")
    partial.rename(packaged)
    return packaged


def is_uploaded(packaged: Path) -> bool:
    there = {
        item["Key"]
        for page in aws("s3").get_paginator("list_objects_v2").paginate(Bucket=DEPLOY_BUCKET)
        for item in page.get("Contents", [])
    }
    named = set(re.findall(rf"s3://{DEPLOY_BUCKET}/(\S+)", packaged.read_text()))
    return bool(named) and named <= there


def sam_deploy(template: Path, stack: str) -> None:
    known = declared(template)
    values = {**parameters(), "Release": release_of(parameters())}
    overrides = [f"{name}={value}" for name, value in values.items() if name in known]
    command = [
        python_of("sam").with_name("sam"),
        "deploy",
        "--config-file",
        ROOT / "samconfig.toml",
        "--config-env",
        STAGE,
    ]
    command += [
        "--template-file",
        template,
        "--stack-name",
        stack,
        "--s3-bucket",
        DEPLOY_BUCKET,
        "--parameter-overrides",
        *overrides,
    ]
    sam(command, f"deploy.{stack}")


def sam(command: list[Any], name: str) -> None:
    # The engine is done with a stack in a tenth of a second; half a second is SAM's own pace for AWS.
    environment = {**sam_environment(), **aws_environment(), "SAM_CLI_POLL_DELAY": "0.1"}
    processes.call(command, environment=environment, folder=ROOT, log=HOME / "logs" / f"{name}.log")


def outputs(stack: str) -> dict[str, str]:
    described = aws("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def migrate() -> None:
    """Run the migrations by the data stack's function, as in AWS."""
    name = outputs(DATA_STACK)["MigrateFunction"]
    answer = aws("lambda").invoke(FunctionName=name, Payload=b"{}")
    if answer.get("FunctionError"):
        error = json.load(answer["Payload"])
        raise Refused(
            f"the database could not be migrated: {error.get('errorMessage', error)} (make clean starts "
            "with an empty one)",
            code=1,
        )


def check_voices() -> None:
    """Let the nightly check of the voices run now, in the background, as after a deployment to AWS."""
    name = outputs(APPLICATION_STACK)["VoiceCheckFunction"]
    aws("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")


def ensure_organisation() -> None:
    """Add the demo organisation and its first key of the Ingestion API.

    No public call can make the very first of either.
    """
    key = ingestion_key()
    with owner_connection() as connection:
        connection.run(
            "INSERT INTO accounts.organisations (id, name) VALUES (:id, 'Demo') ON CONFLICT DO NOTHING",
            id=ORGANISATION,
        )
        connection.run(
            "INSERT INTO access.api_keys (organisation_id, created_by, name, prefix, key_sha256, scopes)"
            " VALUES (:id, 'service:launcher', 'local', :prefix, :hash, '{ingestion}')"
            " ON CONFLICT DO NOTHING",
            id=ORGANISATION,
            prefix=key[:10],
            hash=hashlib.sha256(key.encode()).hexdigest(),
        )


@contextlib.contextmanager
def owner_connection() -> Iterator[pg8000.native.Connection]:
    """Yield a connection to the local database as the owner of its tables."""
    with contextlib.closing(
        pg8000.native.Connection(
            DATABASE.user,
            host=DATABASE.host,
            port=DATABASE.port,
            database=DATABASE.name,
            password=postgres.secrets_of(HOME)["database/owner_password"],
            ssl_context=False,
        )
    ) as connection:
        yield connection


def ingestion_key() -> str:
    path = HOME / "keys" / "ingestion"
    if not path.exists():
        access.write_closed(path, f"sr_{token_urlsafe(32)}")
    return path.read_text()


def token() -> str:
    return access.service_token(
        access.signing_key(HOME),
        issuer=address("PLATFORM_PORT"),
        name="launcher",
        organisation_id=ORGANISATION,
        scopes=SCOPES,
    )


def client() -> httpx.Client:
    """Return a client of the Platform API that calls through the gateway, as any user does.

    A cold Lambda on a busy machine may take many seconds for its first answer.
    """
    return httpx.Client(
        base_url=address("PLATFORM_PORT"),
        headers={"Authorization": f"Bearer {token()}"},
        timeout=60,
        trust_env=False,
    )


def ensure_channel(api: httpx.Client, name: str = CHANNEL, **settings: str) -> str:
    """Return the id of a channel for demos. Creates it through the API if it does not exist."""
    listed = answered(api.get("/api/v1/channels", params={"limit": 100}))
    for channel in listed["channels"]:
        if channel["name"] == name:
            return str(channel["id"])
    body = {
        "name": name,
        "niche": "science and history",
        # Stand-ins cost nothing: their list prices must not end a long video.
        "settings": {
            "language": "en",
            "auto_publish": False,
            "budget": {"video": "50.00", "day": "500.00"},
            **settings,
        },
    }
    made = answered(api.post("/api/v1/channels", json=body, headers={"Idempotency-Key": str(uuid.uuid4())}))
    return str(made["channel"]["id"])


class ApiRefused(Refused):
    """The API's own error, in its words. `code` 2 where the request was at fault, 1 otherwise."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            error = answer.json()["error"]
            details = "".join(
                f"\n    {detail['field']}: {detail['message']}" for detail in error.get("details") or []
            )
            reason = f"{error['code']}: {error['message']} (request {error.get('request_id', '?')}){details}"
        except (ValueError, KeyError, TypeError):
            reason = answer.text[:300] or "no body"
        super().__init__(
            f"the API answered {answer.status_code} to {answer.request.method} {answer.request.url.path}: "
            f"{reason}",
            2 if answer.status_code in (400, 422) else 1,
        )
        self.status = answer.status_code


def answered(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise ApiRefused(answer)
    return answer.json()
