"""Makes the access keys of functions and jobs known to MiniStack, which verifies the signatures of S3 links even though it checks no other."""

from ministack.services import sts

from .callers import SECRET, session_token
from .expected import expect
from .settings import ACCOUNT

expect(sts, "register_session", "access_key", "session")


def register(access_key: str, name: str) -> None:
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}"
    sts.register_session(access_key, {"Arn": role, "UserId": f"{name}:{name}", "SecretAccessKey": SECRET, "SessionToken": session_token(name)})
