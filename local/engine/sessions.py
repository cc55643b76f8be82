"""Register the access keys of functions and jobs with MiniStack, which verifies the signatures of presigned
S3 URLs.
"""

from ministack.services import sts

from .callers import SECRET, session_token
from .expected import expect
from .settings import ACCOUNT

expect(sts, "register_session", "access_key", "session")


def register(access_key: str, name: str) -> None:
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}"
    sts.register_session(
        access_key,
        {
            "Arn": role,
            "UserId": f"{name}:{name}",
            "SecretAccessKey": SECRET,
            "SessionToken": session_token(name),
        },
    )
