"""The Live API on the deployed templates: a real WebSocket through the gateway, while a video is made."""

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import httpx
import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

SCRIPT = (
    "Bees dance to tell the others where the flowers are. The angle of the dance shows the way. "
    "The length of it shows how far they have to fly today."
)
# A production of ten seconds takes 20 to 40 s here; a cold machine with one core busy takes three times that.
PRODUCTION_SECONDS = 240
ANSWER_SECONDS = 30


def ticket(stack: Any, token: str | None = None) -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    messages = stack.api.post("/live/tickets", headers=headers).raise_for_status().json()
    assert messages["url"] == stack.address("LIVE").replace("http", "ws", 1)
    return str(messages["ticket"])


def stranger(stack: Any) -> str:
    """Register a person. Returns their access token."""
    email, password = f"{uuid.uuid4().hex}@example.com", "Correct-Horse-7-Battery"
    with httpx.Client(base_url=f"{stack.address('PLATFORM')}/api/v1/auth", timeout=60) as api:
        api.post(
            "/register", json={"email": email, "password": password, "full_name": "A Stranger"}
        ).raise_for_status()
        return str(
            api.post("/login", json={"email": email, "password": password})
            .raise_for_status()
            .json()["access_token"]
        )


class Client:
    """A dashboard that stores every message it receives."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.messages = socket, []

    async def say(self, **message: Any) -> dict[str, Any]:
        """Send a message and return its answer, which must be the next message."""
        await self.socket.send_str(json.dumps(message))
        return json.loads(await self.socket.receive_str(timeout=ANSWER_SECONDS))  # type: ignore[no-any-return]

    async def listen(self, video_id: str) -> None:
        """Listen until the video has ended."""
        async with asyncio.timeout(PRODUCTION_SECONDS):
            while True:
                message = json.loads(await self.socket.receive_str())
                self.messages.append(message)
                if (
                    message["type"] == "processing_update"
                    and message["video_id"] == video_id
                    and message["status"] != "processing"
                ):
                    return


async def watch(stack: Any) -> tuple[str, Client, Client]:
    """Make a video while its owner and a person of another organisation listen."""
    url = f"{stack.address('LIVE')}/"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, params={"ticket": ticket(stack)}) as owner_socket,
        session.ws_connect(url, params={"ticket": ticket(stack, stranger(stack))}) as stranger_socket,
    ):
        owner, other = Client(owner_socket), Client(stranger_socket)
        assert (await owner.say(action="subscribe", topics=["videos"]))["topics"] == ["videos"]
        video_id = await asyncio.to_thread(stack.generate, manual_script=SCRIPT)
        topics = [f"video:{video_id}", "videos"]
        assert (await other.say(action="subscribe", topics=topics))["topics"] == topics
        await owner.listen(video_id)
        other.messages.append(await other.say(action="ping"))
    return video_id, owner, other


@pytest.fixture(scope="module")
def watched(stack: Any) -> tuple[str, Client, Client]:
    return asyncio.run(watch(stack))


def test_the_owner_sees_each_step_of_a_video_in_order(
    stack: Any, watched: tuple[str, Client, Client]
) -> None:
    video_id, owner, _ = watched
    messages = [message for message in owner.messages if message["video_id"] == video_id]
    steps = [message for message in messages if message["type"] == "processing_update"]
    rows = [message for message in messages if message["type"] == "video_update"]

    assert [message["progress"] for message in steps] == sorted(message["progress"] for message in steps)
    reached = list(dict.fromkeys(message["current_step"] for message in steps))
    assert reached == ["prepare", "voice", "render", "finish"]
    assert any(50 < message["progress"] < 100 for message in steps), "the render reports its own progress"
    assert (steps[-1]["progress"], steps[-1]["status"]) == (100, "completed")
    assert set(rows[-1]) == {"type", "video_id", "title", "status", "last_updated"}
    shown = stack.api.get(f"/videos/{video_id}").json()["video"]
    assert (rows[-1]["title"], rows[-1]["status"]) == (shown["title"], "completed")


def test_another_organisation_receives_no_message_about_it(watched: tuple[str, Client, Client]) -> None:
    _, _, other = watched

    assert [message["type"] for message in other.messages] == ["connection_status"]


def test_a_ticket_opens_one_connection_and_a_made_up_one_none(stack: Any) -> None:
    async def handshakes(given: list[str | None]) -> list[int]:
        found = []
        async with aiohttp.ClientSession() as session:
            for each in given:
                try:
                    socket = await session.ws_connect(
                        f"{stack.address('LIVE')}/", params={"ticket": each} if each else {}
                    )
                    found.append(101)
                    await socket.close()
                except aiohttp.WSServerHandshakeError as refusal:
                    found.append(refusal.status)
        return found

    good = ticket(stack)

    assert asyncio.run(handshakes([None, "x" * 43, good, good])) == [401, 401, 101, 401]


def test_a_ticket_needs_a_token(stack: Any) -> None:
    assert httpx.post(f"{stack.address('PLATFORM')}/api/v1/live/tickets", timeout=60).status_code == 401


def test_no_log_contains_a_ticket(stack: Any) -> None:
    """Neither in the functions' logs nor in the requests that the engine records."""
    given = ticket(stack)

    async def use() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{stack.address('LIVE')}/", params={"ticket": given}) as socket,
        ):
            await socket.send_str("nonsense")
            assert json.loads(await socket.receive_str(timeout=ANSWER_SECONDS))["code"] == "INVALID_FORMAT"

    asyncio.run(use())

    logs = stack.aws("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert any(name.endswith("/functions") for name in groups)
    for name in groups:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            assert not [event for event in page["events"] if given in event["message"]]
