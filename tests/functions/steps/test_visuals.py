"""The visuals step: assets of the user, stock and generated backdrops."""

import json
import uuid
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from functions.prepare import app as prepare
from functions.visuals import app as visuals_step
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import InvalidRequest
from tests.functions.steps.stand_ins import Platforms, stock, write
from tests.servers import speaking


@pytest.mark.usefixtures("without_pexels")
def test_visuals_prefer_the_users_asset_then_stock_then_the_backdrop(tx: Any, platforms: Platforms, httpserver: HTTPServer, video: Any) -> None:
    stock(tx, platforms, httpserver, 2)
    asset = str(uuid.uuid4())
    event = video(assets=[asset], manual_script="One sentence. " * 30)
    db.run(
        tx,
        """INSERT INTO studio.assets (id, organisation_id, kind, content_type, bytes, sha256, object_key, status)
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
    assert {chosen[1]["source"], chosen[2]["source"]} == {"https://www.pexels.com/photo/0", "https://www.pexels.com/photo/1"}
    assert all(each["kind"] == "generated" for each in chosen[3:])
    assert all(each["licence"] for each in chosen)


@pytest.mark.usefixtures("without_pexels")
@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_failing_stock_search_is_replaced_by_the_backdrop(tx: Any, platforms: Platforms, httpserver: HTTPServer, video: Any, status: int) -> None:
    stock(tx, platforms, httpserver, 1)
    platforms.photos = lambda: Response("{}", status=status)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    visuals_step.handler({"scene": 0, **job}, None)

    assert s3.get_json(f"{job['folder']}/scenes/0.visual.json")["kind"] == "generated"


@pytest.mark.usefixtures("without_pexels")
def test_an_incomplete_photograph_is_replaced_by_the_backdrop(
    tx: Any, platforms: Platforms, httpserver: HTTPServer, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(tx, platforms, httpserver, 1)
    job = prepare.handler(video(manual_script="One sentence."), None)
    write(job)

    with speaking([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\xff\xd8"]) as address:
        monkeypatch.setenv("PEXELS_PHOTO_HOST", address)
        photo = {"id": 1, "url": "https://www.pexels.com/photo/1", "photographer": "Ada", "src": {"large2x": f"{address}/photo.jpg"}}
        platforms.photos = lambda: Response(json.dumps({"photos": [photo]}), content_type="application/json")
        visuals_step.handler({"scene": 0, **job}, None)

    assert s3.get_json(f"{job['folder']}/scenes/0.visual.json")["kind"] == "generated"


def test_prepare_fails_naming_an_asset_that_is_not_uploaded(tx: Any, platforms: Platforms, video: Any) -> None:
    missing = str(uuid.uuid4())

    with pytest.raises(InvalidRequest, match=missing):
        prepare.handler(video(assets=[missing]), None)
