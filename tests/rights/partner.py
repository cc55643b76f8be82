"""A content owner at the stand-in for YouTube's Content ID, with assets, videos and policies."""

import uuid
from typing import Any, NamedTuple

from local import access
from local.platforms.google import Grant
from local.platforms.rights import Rights
from showrunner.access import service_accounts
from showrunner.database import db
from showrunner.platforms import google
from tests.conftest import put_secrets

SCOPES = [*google.YOUTUBE, google.PARTNER]
MONETIZE = {"name": "Monetize everywhere", "rules": [{"action": "monetize"}]}
TRACK = {"name": "Track everywhere", "rules": [{"action": "track"}]}


class Partner(NamedTuple):
    """An account that may act for one content owner, and what that owner has."""

    rights: Any
    account: str
    youtube_id: str

    def add_asset(self, number: int, **more: Any) -> str:
        """Add an asset and return its id."""
        asset_id = f"A{number:015}"
        self.rights.assets[asset_id] = {
            "owner": self.youtube_id,
            "type": "sound_recording",
            "title": f"Song {number}",
            "isrc": f"QZABC26{number:05}",
            **more,
        }
        return asset_id

    def add_video(self, video_id: str, **more: Any) -> str:
        self.rights.videos[video_id] = {"owner": self.youtube_id, "title": f"Video {video_id}", **more}
        return video_id

    def claims(self) -> list[dict[str, Any]]:
        """Return the owner's claims at YouTube, oldest first."""
        found = [each for each in self.rights.claims.values() if each["owner"] == self.youtube_id]
        return sorted(found, key=lambda each: each["id"])

    def live(self) -> list[dict[str, Any]]:
        return [each for each in self.claims() if each["status"] != "inactive"]


def add(world: Any) -> Partner:
    """Put a new content owner into the stand-in. Forgets what it knew of others."""
    world.rights, world.library.faults = Rights(), []
    partner = Partner(world.rights, f"{uuid.uuid4().hex[:8]}@example.com", uuid.uuid4().hex[:22])
    world.rights.owners[partner.youtube_id] = "A label"
    world.rights.members[partner.account] = [partner.youtube_id]
    world.rights.policies[partner.youtube_id] = {"S1": dict(MONETIZE), "S2": dict(TRACK)}
    return partner


def use_service_account(world: Any, tx: Any, partner: Partner, owner_id: int) -> access.ServiceAccountKey:
    """Let the stage's service account act for a content owner, which has invited it, and nobody else."""
    key = access.new_service_account_key(f"{uuid.uuid4().hex[:8]}@stage.iam.gserviceaccount.com")
    world.sign_ins.service_accounts.update(key.known)
    world.rights.members.clear()
    world.rights.members[key.email] = [partner.youtube_id]
    put_secrets({service_accounts.SECRET: key.text})
    db.run(tx, "UPDATE rights.content_owners SET uses_service_account = true WHERE id = :id", id=owner_id)
    db.run(
        tx,
        "DELETE FROM accounts.connections WHERE organisation_id ="
        " (SELECT organisation_id FROM rights.content_owners WHERE id = :id)",
        id=owner_id,
    )
    return key


def token(world: Any, partner: Partner, scopes: list[str] | None = None) -> str:
    """Return an access token of the partner's account."""
    made = f"ya29.{uuid.uuid4().hex}"
    world.sign_ins.access_tokens[made] = Grant(partner.account, SCOPES if scopes is None else scopes)
    return made
