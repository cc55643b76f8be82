"""Read the engine's settings from its environment; set MiniStack's variables."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# The account and region that MiniStack assumes for the credentials test/test.
ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class Settings:
    port: int
    home: Path
    lambda_python: str
    batch_python: str
    batch_pythonpath: str
    batch_slots: int
    batch_stop_seconds: float
    calls: Path | None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Return the folder of what must survive a restart."""
        return self.home / "engine"

    @property
    def scratch(self) -> Path:
        """Return the folder of temporary files: unpacked code, working folders of jobs and functions. One per
        port, so that two engines never delete each other's.
        """
        return self.home / "engine" / f"scratch-{self.port}"

    @property
    def outbox(self) -> Path:
        return self.home / "outbox"


def from_environment() -> Settings:
    root = Path.cwd()
    environments = root / ".local" / "env"
    return Settings(
        port=int(os.environ.get("ENGINE_PORT", "4566")),
        home=Path(os.environ.get("SHOWRUNNER_HOME", root / ".local")).absolute(),
        lambda_python=_interpreter("LAMBDA_PYTHON", environments / "lambda"),
        batch_python=_interpreter("BATCH_PYTHON", environments / "render"),
        batch_pythonpath=_absolute_paths(os.environ.get("BATCH_PYTHONPATH", "functions"), root),
        batch_slots=int(os.environ.get("BATCH_SLOTS", "1")),
        # ECS, which runs Batch's containers, waits 30 s between SIGTERM and SIGKILL.
        batch_stop_seconds=float(os.environ.get("BATCH_STOP_SECONDS", "30")),
        calls=Path(os.environ["ENGINE_CALLS"]).absolute() if os.environ.get("ENGINE_CALLS") else None,
    )


def _interpreter(variable: str, environment: Path) -> str:
    fallback = environment / "bin" / "python"
    return os.environ.get(variable) or (str(fallback) if fallback.exists() else sys.executable)


def _absolute_paths(paths: str, root: Path) -> str:
    return os.pathsep.join(str(root / path) for path in paths.split(os.pathsep) if path)


def tell_ministack(settings: Settings) -> None:
    """Set the variables that MiniStack reads at import. Call it before the first import of MiniStack."""
    os.environ.update(
        GATEWAY_PORT=str(settings.port),
        BIND_HOST="127.0.0.1",
        AWS_ENDPOINT_URL=settings.endpoint,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 (no secret: the emulator takes any)
        AWS_DEFAULT_REGION=REGION,
        MINISTACK_ACCOUNT_ID=ACCOUNT,
        MINISTACK_REGION=REGION,
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        # No socket there: MiniStack then never looks for Docker.
        DOCKER_HOST=f"unix://{settings.scratch}/no-docker.sock",
        LAMBDA_EXECUTOR="local",
        S3_PERSIST="1",
        S3_DATA_DIR=str(settings.data / "s3"),
        PERSIST_STATE="0",
        STATE_DIR=str(settings.data / "state"),
    )
    for leftover in (
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "SFN_MOCK_CONFIG",
        "LOCALSTACK_SFN_MOCK_CONFIG",
        "LOCALSTACK_PERSISTENCE",
        "USE_SSL",
        "AUTH",
    ):
        os.environ.pop(leftover, None)
