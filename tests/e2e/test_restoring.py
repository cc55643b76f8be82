"""On the deployed stack: a restored copy takes the place of the database, and destroyed data come back."""

import re
import time
import uuid
from concurrent import futures

import httpx
import pytest

from local.settings import aws_environment
from local.stages import switch
from local.stages.stage import Stage

pytestmark = [pytest.mark.stack, pytest.mark.slow]

# The machine's steps take seconds each; functions that nobody called before start cold.
MACHINE_SECONDS = 240


@pytest.fixture(autouse=True)
def nobody_else(ordered) -> None:
    """Wait for the video that is ordered beside the other tests: it would be lost, or make a difference."""
    futures.wait([ordered])


@pytest.fixture
def stage(stack, monkeypatch) -> Stage:
    """Return the stack as the commands of a stage see it."""
    for name, value in {**aws_environment(), "AWS_ENDPOINT_URL": stack.address("ENGINE")}.items():
        monkeypatch.setenv(name, value)
    return Stage("local")


def channels(stack) -> set[str]:
    found = stack.api.get("/channels", params={"limit": 100}).raise_for_status().json()["channels"]
    return {each["name"] for each in found}


def add_channel(stack) -> str:
    name = f"Channel {uuid.uuid4().hex[:8]}"
    stack.api.post("/channels", json={"name": name, "niche": "Insects"}).raise_for_status()
    return name


def waited(admin: httpx.Client, backup_id: str, key: str, ends: set[str]) -> dict:
    """Poll the list of backups until the backup (or its restore) has one of these states; return it."""
    deadline = time.monotonic() + MACHINE_SECONDS
    while time.monotonic() < deadline:
        listed = admin.get("/backups").raise_for_status().json()["backups"]
        # It is listed from the machine's first step on.
        found = next((each for each in listed if each["id"] == backup_id), None)
        looked_at = found and (found["restore"] if key == "restore" else found)
        if looked_at and looked_at["status"] in ends:
            return looked_at
        time.sleep(1)
    raise AssertionError(f"{backup_id}: {found}")


@pytest.mark.timeout(1200)
def test_a_restored_copy_takes_the_place_of_the_database_and_gives_it_back(stack, admin, stage, capsys):
    before = add_channel(stack)
    backup_id = admin.post("/backups").raise_for_status().json()["id"]
    assert waited(admin, backup_id, "backup", {"complete", "failed"})["status"] == "complete"
    later = add_channel(stack)
    database = admin.post(f"/backups/{backup_id}/restore").raise_for_status().json()["database"]
    assert waited(admin, backup_id, "restore", {"identical", "different", "failed"})["status"] == "identical"

    switch.switch(stage, database, lambda _: "switch local")
    aside = re.search(r"DATABASE=(\S+)", capsys.readouterr().out)[1]
    try:
        in_the_copy = channels(stack)
    finally:
        switch.switch(stage, aside, lambda _: "switch local")

    assert before in in_the_copy
    assert later not in in_the_copy
    assert {before, later} <= channels(stack)


@pytest.mark.timeout(1200)
def test_destroyed_data_come_back_whole(stack):
    printed = stack.command("restore-drill")

    assert "counts and checksums are as before" in printed
    assert re.search(r"RPO [\d.]+ s .*, RTO [\d.]+ s", printed)
    print(printed)
