"""Replace a secret without a failed call: create, publish, test, finish; or undo. End one: revoke, report.

Beside /showrunner/<stage>/<name> lie `candidates/<name>`, the new one until it is tested, and
`previous/<name>`, the one before. Nothing but this package and `migrate` reads those two. Every step can be
repeated, and until the last write of `finish` all readers use the old secret, which stays valid.

What differs between kinds of secrets:

- The signing key has a public half: `publish` adds it to auth/jwks, and the machine waits until no cache
  holds an older set, before the first token is signed with the new key (signing.py).
- The database's password changes its role too, because two roles take turns (database/logins.py). This
  package has no database: the machine's task Database invokes `migrate`, which admits the new login, and
  later ends the old one.
- AppSync makes its own keys, so `create` asks it for one, and a key that is not needed any more is deleted
  there (appsync.py).
- Everything else is a service's key that a person has uploaded (trials.py).
"""

import json
import secrets
from typing import Literal, NotRequired, TypedDict

from showrunner.access import tokens
from showrunner.aws import ssm
from showrunner.database import logins
from showrunner.keys import appsync, readers, signing, trials
from showrunner.keys.inventory import APPSYNC, BY_NAME, DATABASE, SIGNING_KEY
from showrunner.keys.state import Kind, candidate, find, in_use, previous, read

Step = Literal["create", "publish", "test", "finish", "revoke", "watch", "report", "undo"]
Outcome = Literal["done", "failed"]
# 24 random bytes, 32 characters: more than any guess, and short enough to read.
PASSWORD_BYTES = 24


class Next(TypedDict):
    """The next action of the rotation machine.

    work: do `step`. wait: do `step` after `wait_seconds`. database: let `migrate` do `command`, which
    answers with the next action. record: save `outcome`, and who was `refused` meanwhile.
    """

    do: Literal["work", "wait", "database", "record"]
    step: NotRequired[Step]
    wait_seconds: NotRequired[int]
    command: NotRequired[Literal["admit_login", "end_logins"]]
    outcome: NotRequired[Outcome]
    refused: NotRequired[str]


# ------------------------------------------------------------------------------------------------ Steps


def run(name: str, kind: Kind, step: Step, rotation_id: str) -> Next:
    """Do one step and return what comes next.

    Raises CredentialRejected if the new secret does not work, PlatformUnavailable if nobody can say so.
    """
    if step == "create":
        _create(name, kind, rotation_id)
        return {"do": "work", "step": "publish"}
    if step == "publish":
        return _publish(name)
    if step == "test":
        _test(name)
        return {"do": "work", "step": "finish"}
    if step == "undo":
        return _ended(name, "done" if _undo(name) else "failed")
    if step == "revoke":
        return _revoke_previous(name)
    if step == "watch":
        return {"do": "wait", "step": "report", "wait_seconds": signing.PUBLISHED_SECONDS}
    if step == "report":
        return _report(name)
    _finish(name)
    return {"do": "record", "outcome": "done"}


def _create(name: str, kind: Kind, rotation_id: str) -> None:
    """Make sure that there is a candidate. An assisted key's was uploaded with the request."""
    if kind == "rollback":
        ssm.write(candidate(name), read(previous(name)))
    elif BY_NAME[name].rotation == "automatic" and ssm.current(candidate(name)) is None:
        ssm.write(candidate(name), _new(name, rotation_id))


def _new(name: str, rotation_id: str) -> str:
    if name == SIGNING_KEY:
        return json.dumps(tokens.new_key())
    if name == APPSYNC:
        return appsync.create(rotation_id)
    user, _ = logins.read(read(name))
    return logins.written(logins.other(user), secrets.token_urlsafe(PASSWORD_BYTES))


def _publish(name: str) -> Next:
    if name == DATABASE:
        return {"do": "database", "command": "admit_login", "step": "finish"}
    seconds = signing.publish(read(candidate(name))) if name == SIGNING_KEY else 0
    return {"do": "wait", "step": "test", "wait_seconds": seconds}


def _test(name: str) -> None:
    """Use the candidate as its readers will. A database's login was tried by `migrate`."""
    if name == SIGNING_KEY:
        signing.test(read(candidate(name)))
    elif name == APPSYNC:
        appsync.test(read(candidate(name)))
    elif name != DATABASE:
        trials.try_key(name, read(candidate(name)))


def _finish(name: str) -> None:
    """Switch all readers to the candidate, and keep the old secret as the previous one."""
    new, old = ssm.current(candidate(name)), ssm.current(name)
    if new is not None and new != old:
        if old is not None:
            ssm.write(previous(name), old)
        ssm.write(name, new)
    if name == SIGNING_KEY:
        signing.retire_public_keys()
    if name == APPSYNC:
        appsync.delete_others(in_use(name))
    ssm.remove(candidate(name))


def _undo(name: str) -> bool:
    """Remove the candidate. Return True if it is in use already: only the end of the last step was lost."""
    new = ssm.current(candidate(name))
    if new is not None and new == ssm.current(name):
        _finish(name)
        return True
    if name == SIGNING_KEY and new is not None:
        signing.withdraw(new)
    if name == APPSYNC:
        appsync.delete_others(in_use(name))
    ssm.remove(candidate(name))
    return False


def _revoke_previous(name: str) -> Next:
    """End the version before at once. Tokens that an old signing key has signed fail from then on."""
    if name == SIGNING_KEY:
        signing.keep_current_only()
    ssm.remove(previous(name))
    if name == APPSYNC:
        appsync.delete_others(in_use(name))
    if name == DATABASE:
        return {"do": "database", "command": "end_logins", "step": "watch"}
    return {"do": "work", "step": "watch"}


def _report(name: str) -> Next:
    """Say which readers failed with the version that was revoked: their caches are over by now."""
    refused = readers.refused(name, find(name).get("begun_at", 0))
    return {"do": "record", "outcome": "done", "refused": ", ".join(refused)}


def _ended(name: str, outcome: Outcome) -> Next:
    """Return the last action. Logins to the database that no version names are ended first."""
    if name == DATABASE:
        return {"do": "database", "command": "end_logins", "outcome": outcome}
    return {"do": "record", "outcome": outcome}
