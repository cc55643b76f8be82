"""Folders, ports and addresses on this machine. Standard library only: setup runs before anything is
installed.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".local" / "env"
HOME = Path(os.environ.get("SHOWRUNNER_HOME") or ROOT / ".local").absolute()
LAYER = ROOT / "layers" / "showrunner"
VOICES = ENVIRONMENTS / "voices"

DEFAULT_PORTS = {
    "PLATFORM_PORT": 8000,
    "INGESTION_PORT": 8080,
    "LIVE_PORT": 8001,
    "ENGINE_PORT": 4566,
    "POSTGRES_PORT": 5433,
    "LANGUAGE_PORT": 8101,
    "VOICE_PORT": 8102,
    "PLATFORMS_PORT": 8103,
}


def port(name: str) -> int:
    value = os.environ.get(name) or str(DEFAULT_PORTS[name])
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        print(f"showrunner: {name}={value} is no port; give a number from 1 to 65535", file=sys.stderr)
        raise SystemExit(2)
    return int(value)


PORTS = {name: port(name) for name in DEFAULT_PORTS}

# When the command began. Kept over the change of interpreter, so that waiting time is counted from there.
BEGUN = "SHOWRUNNER_BEGUN"

STAGE = "local"
REGION = "us-east-1"
ACCOUNT = "000000000000"
DATA_STACK = f"showrunner-data-{STAGE}"
APPLICATION_STACK = f"showrunner-{STAGE}"


class Database(NamedTuple):
    """The address of the local PostgreSQL."""

    host: str
    port: int
    name: str
    user: str


DATABASE = Database("127.0.0.1", PORTS["POSTGRES_PORT"], "showrunner", "showrunner")


class Refused(Exception):
    """An error that the person at the terminal can fix. One line: what is wrong and what to do. Exit code 2,
    or 1 if work had begun and failed.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def address(port_name: str) -> str:
    return f"http://127.0.0.1:{PORTS[port_name]}"


def python_of(group: str) -> Path:
    return ENVIRONMENTS / group / "bin" / "python"


def aws_environment() -> dict[str, str]:
    """Return variables that point boto3 and the SAM CLI at the engine only, whatever profile or credentials
    exist.
    """
    return {
        "AWS_ENDPOINT_URL": address("ENGINE_PORT"),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }


def local_environment() -> dict[str, str]:
    """Return the environment of every local process: the person's own, without AWS credentials, with our
    addresses.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"AWS_PROFILE", "AWS_SESSION_TOKEN", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", BEGUN}
    }
    ports = {name: str(port) for name, port in PORTS.items()}
    return {
        **inherited,
        **aws_environment(),
        **ports,
        "STAGE": STAGE,
        "SHOWRUNNER_HOME": str(HOME),
        "PYTHONUNBUFFERED": "1",
    }
