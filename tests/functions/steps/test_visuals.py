"""The visuals step: assets of the user, stock and generated backdrops."""

import json
import uuid
from typing import Any
from urllib.parse import parse_qs

import pytest

from functions.prepare import app as prepare
from functions.visuals import app as visuals_step
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import InvalidRequest
from tests.functions.steps.stand_ins import Platforms, produced, row, stock, write
from tests.servers import speaking


@pytest.mark.usefixtures("without_pexels")
def test_visuals_prefer_the_users_asset_then_stock_then_the_backdrop(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 2)
    asset = str(uuid.uuid4())
    event = video(assets=[asset], manual_script="One sentence. " * 30)
    db.run(
        tx,
        """INSERT INTO studio.assets
               (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
           VALUES (:id, :org, 'image', 'image/png', 9, :sha, 'k', 'ready')""",
        id=asset,
        org=event["organisation_id"],
        sha="0" * 64,
    )
    job = prepare.handler(event, None)
    scenes = write(job)["scenes"]

    for scene in scenes:
        visuals_step.handler({"scene": scene, **job}, None)

    chosen = [s3.get_json(f"{job['folder']}/scenes/{scene}.visual.json") for scene in scenes]
    assert chosen[0]["source"] == f"asset:{asset}"
    assert {chosen[1]["source"], chosen[2]["source"]} == {
        "https://www.pexels.com/photo/0/",
        "https://www.pexels.com/photo/1/",
    }
    assert all(each["kind"] == "generated" for each in chosen[3:])
    assert all(each["licence"] for each in chosen)


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize(
    "outcome",
    ["unauthorized", "rate_limit", "server_error", "html", "missing_size", "html_photo", "other_host"],
)
def test_a_failing_stock_search_is_replaced_by_the_backdrop(
    tx: Any, platforms: Platforms, video: Any, outcome: str
) -> None:
    stock(platforms, 1)
    platforms.photographs.outcomes.add(outcome)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert s3.get_json(f"{job['folder']}/scenes/0.visual.json")["kind"] == "generated"


@pytest.mark.usefixtures("without_pexels")
def test_a_photograph_is_cropped_to_the_portrait_frame_and_credited(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 1)
    event = video(manual_script="One sentence.")
    produced(tx, platforms, event)

    size = parse_qs(platforms.photographs.fetched[-1].partition("?")[2])
    assert (size["fit"], int(size["w"][0]) > 1080, int(size["h"][0]) > 1920) == (["crop"], True, True)
    assert "Photos: Ada (Pexels)" in row(tx, event["video_id"])["description"]


@pytest.mark.usefixtures("without_pexels")
def test_an_incomplete_photograph_is_replaced_by_the_backdrop(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(platforms, 1)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)
    answer = {
        "photos": [
            {
                "id": 1,
                "url": "https://www.pexels.com/photo/1/",
                "photographer": "Ada",
                "src": {"original": "ADDRESS/photo.jpg"},
            }
        ]
    }

    with speaking([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\xff\xd8\xff"]) as address:
        found = json.dumps(answer).replace("ADDRESS", address).encode()
        headers = ("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(found)}")
        head = "\r\n".join((*headers, "", "")).encode()
        with speaking([head + found]) as search:
            monkeypatch.setenv("PEXELS_PHOTO_HOST", address)
            monkeypatch.setenv("PEXELS_BASE_URL", search)
            visuals_step.handler({"scene": 0, **job}, None)

    assert s3.get_json(f"{job['folder']}/scenes/0.visual.json")["kind"] == "generated"


def test_prepare_fails_naming_an_asset_that_is_not_uploaded(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    missing = str(uuid.uuid4())

    with pytest.raises(InvalidRequest, match=missing):
        prepare.handler(video(assets=[missing]), None)
