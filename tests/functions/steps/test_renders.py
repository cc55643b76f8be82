"""Plans of the steps are rendered by the real renderer: rejected clips, one replaced shot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.finish import app as finish
from functions.record import app as record
from functions.timeline import app as timeline_step
from functions.visuals import app as visuals_step
from render.plan import cuts, spans
from render.plan import timeline as plans
from showrunner.aws import s3
from showrunner.database import db
from tests.conftest import Client
from tests.contract.code import ROOT
from tests.functions.steps.stand_ins import MP4, Platforms, list_costs, produced, stock
from tests.render import samples
from tests.render.program import call

pytestmark = pytest.mark.usefixtures("without_pexels")


@pytest.fixture(autouse=True)
def patient(tx: Any) -> Iterator[None]:
    """A render takes longer than a transaction may be idle."""
    with db.long_statements(tx, 300):
        yield


MOVING = "testsrc2=s=180x320:r=30,noise=alls=8:allf=t"


def rendered(job: dict[str, Any], aws: str, folder: Path) -> int:
    """Render the job's timeline in a small size, from S3 to S3. Returns the exit code."""
    key = f"{job['folder']}/timeline.json"
    planned = s3.get_json(key)
    planned["outputs"] = [{"name": "9x16", "width": 180, "height": 320}]
    s3.put_json(key, planned)
    s3.remove([f"{job['folder']}/render/{name}" for name in ("report.json", "video.mp4")])
    source, target = s3.uri(key), s3.uri(f"{job['folder']}/render")
    done = call(source, target, AWS_ENDPOINT_URL=aws, TMPDIR=str(folder), RENDER_WORKERS="1")
    assert done.returncode in (0, 6), done.stderr[-2000:]
    return done.returncode


def pieces(job: dict[str, Any]) -> list[str]:
    return list(s3.list_keys(f"{job['folder']}/render/segments/"))


def shown(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = s3.get_json(f"{job['folder']}/scenes/0.visual.json")["shots"][0]
    return found


def replaced(job: dict[str, Any], started_at: int) -> dict[str, Any]:
    """Run the machine's steps after a render that ended with exit code 6, four seconds after its start."""
    sample = json.loads((ROOT / "events" / "visuals.replace.json").read_text())
    times = {"started_at": started_at, "stopped_at": started_at + 4000}
    event = {**sample, **times, "video_id": job["video_id"], "folder": job["folder"]}
    result = visuals_step.handler(event, None)
    timeline_step.handler({**job, "timeline_version": 4}, None)
    record.handler({**job, "step": "timeline"}, None)
    return result


def clip(path: Path, graph: str) -> bytes:
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    samples.ffmpeg("-f", "lavfi", "-i", graph, "-t", "6", *coding, path)
    return path.read_bytes()


def test_rejected_clips_are_replaced_by_the_next_candidates_before_anything_is_drawn(
    tx: Any, platforms: Platforms, video: Any, aws: str, tmp_path: Path
) -> None:
    stock(platforms, 0, clips=3)
    bordered = clip(
        tmp_path / "bordered.mp4", f"{MOVING},drawbox=h=60:t=fill:c=black,drawbox=y=260:t=fill:c=black"
    )
    files = [bordered, MP4 + bytes(2000), clip(tmp_path / "good.mp4", MOVING)]
    served: dict[int, bytes] = {}
    # In the order in which they are fetched.
    platforms.photographs.clip = lambda each: [served.setdefault(each["id"], files[len(served) % 3])]
    event = video(manual_script="The old harbour slept under a grey sky.")
    job = produced(tx, platforms, event)
    searches, first = list(platforms.searches), shown(job)["source"]

    assert rendered(job, aws, tmp_path) == 6
    assert [each["reason"] for each in s3.get_json(f"{job['folder']}/render/error.json")["findings"]] == [
        "The clip has black borders."
    ]
    assert replaced(job, 1_000_000) == {"replaced": 1}
    second = shown(job)["source"]
    assert rendered(job, aws, tmp_path) == 6
    assert not s3.get_json(f"{job['folder']}/render/error.json")["findings"][0]["drawable"]
    assert pieces(job) == []
    assert replaced(job, 2_000_000) == {"replaced": 1}
    third = shown(job)
    assert (third["source"] in (first, second), third["rejected"]) == (False, 2)
    # The step may be repeated after a crash.
    assert replaced(job, 2_000_000) == {"replaced": 1}
    assert shown(job) == third
    assert rendered(job, aws, tmp_path) == 0

    assert s3.get_json(f"{job['folder']}/render/report.json")["rejected_clips"] == []
    assert list(platforms.searches) == searches
    assert len(platforms.photographs.fetched) == 3
    charged = [
        each for each in list_costs(tx, job["organisation_id"], job["video_id"]) if each["step"] == "render"
    ]
    assert [float(each["quantity"]) for each in charged] == [4, 4]


def test_without_a_further_candidate_a_clip_is_drawn_as_it_is(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 0, clips=1)
    job = produced(tx, platforms, video(manual_script="The old harbour slept under a grey sky."))
    shot = s3.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["shots"][0]
    assert shot["visual"]["replaceable"]
    fault = {"shot": shot["id"], "asset": shot["visual"]["asset"]["uri"], "reason": "The clip is shaky."}

    for drawable, kind in ((True, "clip"), (False, "generated")):
        error = {"error": "ClipsRejected", "message": "", "findings": [{**fault, "drawable": drawable}]}
        s3.put_json(f"{job['folder']}/render/error.json", error)
        replaced(job, 1_000_000)
        visual = s3.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["shots"][0]["visual"]
        assert (visual["kind"], visual.get("replaceable")) == (kind, None)


def test_a_renderer_of_an_earlier_release_is_not_told_that_clips_can_be_replaced(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    stock(platforms, 0, clips=1)
    job = produced(tx, platforms, video(manual_script="The old harbour slept under a grey sky."))

    timeline_step.handler({**job, "timeline_version": 2}, None)

    assert (
        "replaceable" not in s3.get_json(f"{job['folder']}/timeline.json")["scenes"][0]["shots"][0]["visual"]
    )


def test_one_replaced_shot_draws_the_pieces_that_show_it_and_no_other(
    tx: Any, platforms: Platforms, client: Client, aws: str, tmp_path: Path
) -> None:
    stock(platforms, 20)
    platforms.photographs.image = samples.photograph(tmp_path / "photo.jpg", 270, 480, 3).read_bytes()
    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    script = "\n\n---\n\n".join(
        f"The harbour slept for {number} nights under a grey sky." for number in "abcdef"
    )
    order = {"channel_id": channel, "manual_script": script, "style": "news"}
    video_id = client("POST", "/api/v1/videos/generate", order).body["video_id"]
    event = {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}
    job = produced(tx, platforms, event)
    assert rendered(job, aws, tmp_path) == 0
    first = set(pieces(job))
    assert s3.get_json(f"{job['folder']}/render/report.json")["resumed_segments"] == 0
    finish.handler(job, None)
    spoken, fetched = list(platforms.spoken), len(platforms.photographs.fetched)

    path = f"/api/v1/videos/{video_id}/scenes/3/shots/0/replace"
    assert client("POST", path, {}).status == 202
    job = produced(tx, platforms, {**event, "attempt": 2})
    assert rendered(job, aws, tmp_path) == 0

    planned = plans.parse(s3.get_json(f"{job['folder']}/timeline.json"))
    number = next(index for index, shot in enumerate(planned.shots) if shot.id.startswith("3-"))
    span = spans.spans(planned)[number]
    showing = [(first, last) for first, last in cuts.cuts(planned) if first < span.last and span.first < last]
    second = set(pieces(job))
    assert len(second - first) == len(showing) < len(second) / 2
    assert s3.get_json(f"{job['folder']}/render/report.json")["resumed_segments"] == len(second) - len(
        showing
    )
    # One photograph: its file and, if nobody has looked at it yet, its preview.
    new = list(platforms.photographs.fetched)[fetched:]
    assert len({address.partition("?")[0] for address in new}) == 1
    assert platforms.spoken == spoken


def test_the_same_brief_again_pays_and_downloads_nothing(
    tx: Any, platforms: Platforms, client: Client
) -> None:
    stock(platforms, 6, clips=6)
    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    order = {"channel_id": channel, "manual_script": "The old harbour slept.\n\n---\n\nGulls cried."}
    used = []
    for _ in range(2):
        video_id = client("POST", "/api/v1/videos/generate", order).body["video_id"]
        event = {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}
        produced(tx, platforms, event)
        costs = list_costs(tx, client.organisation_id, video_id)
        used.append((len(platforms.spoken), len(platforms.searches), len(platforms.photographs.fetched)))
    assert used[0] == used[1]
    assert min(used[0]) > 0
    assert costs == []
