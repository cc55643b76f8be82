"""A video that stops after its script: read, edit, continue; warnings of an order before anything is paid."""

import os

import pytest

from functions.prepare import app as prepare
from functions.record import app as record
from functions.script import app as script_step
from showrunner.aws import s3
from showrunner.database import db
from showrunner.models import Work
from showrunner.production import files, ranking, voices
from showrunner.videos import executions, voice_checks
from tests.videos.calls import fields, order, started_executions

SCRIPT = """# The tide clock

It has **one** hand. It turns with the moon.

---

See [the table](https://example.org/t) for the tides of every harbour in the north."""


@pytest.fixture
def waiting(client, tx, channel_id):
    """A video whose production stopped after its script, by the steps themselves."""
    response = client(
        "POST",
        "/api/v1/videos/generate",
        order(channel_id, source_text=None, manual_script=SCRIPT, stop_after="script"),
    )
    assert response.status == 202, response
    video_id = response.body["video_id"]
    job = prepare.handler(
        {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}, None
    )
    assert job["stop_after"] == "script"
    script_step.handler(job, None)
    record.handler({**job, "step": "script"}, None)
    return video_id


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("OPENAI_MODEL", "gpt-6-luna")
    monkeypatch.setenv("OPENAI_FALLBACK_MODEL", " ")
    monkeypatch.setenv("RENDER_PLATFORM", "cpu")
    monkeypatch.setenv("ELEVENLABS_MODEL", "eleven_multilingual_v2")


def test_a_script_that_waits_can_be_read_edited_and_continued(client, tx, waiting):
    path = f"/api/v1/videos/{waiting}"
    assert client("GET", f"{path}/status").body["status"] == "script_ready"
    shown = client("GET", f"{path}/script").body
    assert [scene["narration"] for scene in shown["scenes"]] == [
        "It has one hand. It turns with the moon.",
        "See the table for the tides of every harbour in the north.",
    ]
    assert {scene["heading"] for scene in shown["scenes"]} == {"The tide clock"}
    assert float(shown["cost_usd"]["script"]) == 0 < float(shown["cost_usd"]["voice"])

    scenes = [*shown["scenes"][:1], {"heading": "", "narration": "A new end."}]
    edited = client("PUT", f"{path}/script", {"scenes": scenes, "title": "Tides"})
    assert (edited.status, edited.body["scenes"], edited.body["title"]) == (200, scenes, "Tides")
    continued = client("POST", f"{path}/continue", idempotency_key="c")

    assert (continued.status, continued.body["job_id"]) == (202, executions.job_id(waiting, 2))
    assert client("POST", f"{path}/continue", idempotency_key="c").body == continued.body
    assert client("POST", f"{path}/continue").status == 409
    assert client("PUT", f"{path}/script", {"title": "Late"}).status == 409
    assert f"{waiting}-2" in started_executions()
    job = prepare.handler(
        {"video_id": waiting, "organisation_id": client.organisation_id, "attempt": 2}, None
    )
    written = script_step.handler(job, None)
    assert (job["stop_after"], written["scenes"]) == ("", [0, 1])
    record.handler({**job, "step": "script"}, None)
    row = db.one(tx, "SELECT status, title, current_step FROM studio.videos WHERE id = :id", id=waiting)
    assert row == {"status": "processing", "title": "Tides", "current_step": "voice"}


@pytest.mark.parametrize(
    ("narration", "shown"),
    [
        ("It turns 50 times a year.", "50"),
        ("It turns 50 times, or so they say.", "50"),
        ("It turns 70 times a year.", "70"),
        ("It never turns.", None),
    ],
)
def test_an_edited_scene_never_shows_a_figure_that_it_no_longer_says(client, channel_id, narration, shown):
    script = "The clock is old and stands in the hall.\n\n---\n\nIt turns 50 times a year."
    body = order(channel_id, source_text=None, manual_script=script, stop_after="script")
    video_id = client("POST", "/api/v1/videos/generate", body).body["video_id"]
    event = {"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}
    job = prepare.handler(event, None)
    script_step.handler(job, None)
    record.handler({**job, "step": "script"}, None)
    scenes = client("GET", f"/api/v1/videos/{video_id}/script").body["scenes"]

    changed = [*scenes[:1], {"heading": "", "narration": narration}]
    assert client("PUT", f"/api/v1/videos/{video_id}/script", {"scenes": changed}).status == 200

    stored = s3.get_json(files.edited_script_key(job["folder"]))
    assert stored["scenes"][1]["visual"]["value"] == shown


def test_a_script_that_waits_can_be_cancelled(client, waiting):
    assert client("POST", f"/api/v1/videos/{waiting}/cancel").body["status"] == "cancelled"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scenes": []}, "scenes"),
        ({"scenes": [{"narration": "😀"}], "hook": "", "call_to_action": "—"}, "scenes"),
        ({"scenes": [{"narration": "Fine.", "sound": 1}]}, "scenes.0.sound"),
        ({"title": "x" * 101}, "title"),
    ],
)
def test_an_edit_that_cannot_be_spoken_is_refused(client, waiting, changes, field):
    response = client("PUT", f"/api/v1/videos/{waiting}/script", changes)

    assert (response.status, fields(response)) == (400, [field])


def test_a_video_without_a_script_has_none_to_show(client, video):
    assert client("GET", f"/api/v1/videos/{video['video_id']}/script").status == 409
    assert client("POST", f"/api/v1/videos/{video['video_id']}/continue").status == 409


@pytest.mark.parametrize(
    "script",
    [
        "***",
        "😀",
        "— … —",
        "(music)\n\n[pause]",
        "# \n\n---",
        "\n\n".join(f"# Part {number}\n\nYes." for number in range(5200))[:60_000],
        "word " * 11_000,
    ],
    ids=["stars", "emoji", "dashes", "directions", "breaks", "too many parts", "too long"],
)
def test_a_script_that_cannot_be_made_is_refused_before_it_costs(client, channel_id, script):
    response = client(
        "POST", "/api/v1/videos/generate", order(channel_id, source_text=None, manual_script=script)
    )

    assert (response.status, fields(response)) == (400, ["manual_script"])


def test_a_given_script_determines_the_length(client, channel_id):
    brief = order(channel_id, source_text=None, manual_script="Hi.", length_seconds=600)

    ordered, estimated = (
        client("POST", "/api/v1/videos/generate", brief).body,
        client("POST", "/api/v1/videos/estimate", brief).body,
    )

    assert ordered["estimated_duration"] == estimated["estimated_duration"] < 5
    assert ordered["warnings"] == estimated["warnings"]
    assert "600 s" in ordered["warnings"][0]


def test_an_estimate_orders_nothing(client, tx, channel_id):
    response = client(
        "POST", "/api/v1/videos/estimate", order(channel_id, length="medium", aspect=["9:16", "16:9"])
    )

    costs = response.body["cost_usd"]
    assert (response.status, response.body["estimated_duration"], response.body["estimated_time"]) == (
        200,
        240,
        60 + 2 * 240 * 2,
    )
    assert float(costs["total"]) == pytest.approx(
        sum(float(amount) for name, amount in costs.items() if name != "total"), abs=0.001
    )
    assert (
        db.value(
            tx, "SELECT count(*) FROM studio.videos WHERE organisation_id = :o", o=client.organisation_id
        )
        == 0
    )
    assert client("POST", "/api/v1/videos/estimate", {"channel_id": channel_id}).status == 400


def test_a_language_that_no_voice_speaks_is_refused_and_says_what_to_configure(
    client, channel_id, monkeypatch
):
    monkeypatch.setenv("VOICE_LANGUAGES", "en")
    response = client("POST", "/api/v1/videos/generate", order(channel_id, language="es"))

    assert (response.status, fields(response)) == (400, ["language"])
    assert "VoiceLanguages" in response.body["error"]["details"][0]["message"]
    assert [voice["languages"] for voice in client("GET", "/api/v1/voices").body["voices"]] == [
        ["en"],
        ["en"],
    ]


def test_a_videos_language_takes_the_place_of_the_channels(client, tx, channel_id, monkeypatch):
    monkeypatch.setenv("VOICE_LANGUAGES", "en,es,fr,de")
    video_id = client("POST", "/api/v1/videos/generate", order(channel_id, language="es")).body["video_id"]

    prepare.handler({"video_id": video_id, "organisation_id": client.organisation_id, "attempt": 1}, None)

    assert db.value(tx, "SELECT request->>'language' FROM studio.videos WHERE id = :id", id=video_id) == "es"


def test_the_list_of_voices_says_which_can_be_used_and_where_a_sample_is(client, monkeypatch):
    monkeypatch.setenv("VOICE_LANGUAGES", "en,es,fr,de")
    ids = voices.configured(os.environ["VOICES"])
    sample = "https://storage.googleapis.com/eleven-public-prod/a.mp3"
    voice_checks.save(ids["female1"], None, sample)
    voice_checks.save(ids["male1"], "A voice with this id was not found.")
    try:
        listed = client("GET", "/api/v1/voices").body["voices"]
        monkeypatch.setenv("VOICE_LANGUAGES", "ja")
        elsewhere = client("GET", "/api/v1/voices").body["voices"]
    finally:
        for voice_id in ids.values():
            voice_checks.save(voice_id, None)

    common = {"provider": "elevenlabs", "languages": ["de", "en", "es", "fr"]}
    lost = {"is_usable": False, "problem": "A voice with this id was not found.", "sample_url": None}
    assert listed == [
        {"name": "female1", **common, "is_usable": True, "problem": None, "sample_url": sample},
        {"name": "male1", **common, **lost},
    ]
    assert elsewhere[0]["problem"] == "It speaks no language of this stage (ja)."


def test_a_transcript_has_the_words_and_times_of_each_passage(client, waiting):
    path = f"/api/v1/videos/{waiting}/transcript"
    early = client("GET", path)
    passages = [("One", "hand."), ("The", "moon.")]
    scenes = [
        {
            "narration": {
                "start_s": 0.6 + 3 * n,
                "duration_s": 2.5,
                "words": [{"text": each} for each in words],
            }
        }
        for n, words in enumerate(passages)
    ]
    folder = files.video_folder(client.organisation_id, waiting)
    s3.put_json(files.timeline_key(folder), {"language": "en", "scenes": scenes})

    response = client("GET", path)

    assert (early.status, early.body["error"]["code"]) == (409, "CONFLICT")
    assert response.body == {
        "video_id": waiting,
        "language": "en",
        "text": "One hand.\nThe moon.",
        "segments": [
            {"start_s": 0.6, "end_s": 3.1, "text": "One hand."},
            {"start_s": 3.6, "end_s": 6.1, "text": "The moon."},
        ],
    }


def test_the_sources_of_a_video_are_those_of_its_shots(client, waiting):
    path = f"/api/v1/videos/{waiting}/sources"
    early = client("GET", path)
    asset = {
        "uri": "s3://media/clip.mp4",
        "sha256": "0" * 64,
        "source": "https://www.pexels.com/video/4763822/",
        "author": "Grace",
        "licence": "Pexels License",
        "licence_url": "https://www.pexels.com/license/",
        "fetched_at": "2026-11-29T08:00:00+00:00",
    }
    card = {"kind": "generated", "generated": {"template": "number"}}
    shots = [
        {"id": "0-0", "visual": {"kind": "clip", "asset": asset}},
        {"id": "0-1", "visual": card},
    ]
    work = Work(
        *("pexels", "2", "clip", "https://x.example/2.mp4", "https://www.pexels.com/video/2/", "Ada"),
        *("Pexels License", "https://www.pexels.com/license/", "a harbour", 1080, 1920),
    )
    chosen = {
        "library": "pexels",
        "query": "harbour at night",
        "score": 0.78,
        "relevance": 0.67,
        "sharpness": 0.9,
        "subject_kept": 0.8,
        "runners_up": [
            ranking.Candidate(work, 0.7, 0.5, "harbour", sharpness=0.4, subject_kept=1.0).as_dict()
        ],
    }
    folder = files.video_folder(client.organisation_id, waiting)
    s3.put_json(files.timeline_key(folder), {"language": "en", "scenes": [{"shots": shots}]})
    s3.put_json(files.visual_key(folder, 0), {"shots": [{**asset, **chosen}, card]})

    sources = client("GET", path).body["sources"]

    assert (early.status, early.body["error"]["code"]) == (409, "CONFLICT")
    assert sources[0] == {
        "scene": 0,
        "shot": 0,
        "kind": "clip",
        "address": asset["source"],
        **{name: asset[name] for name in ("author", "licence", "licence_url", "fetched_at", "sha256")},
        **{name: value for name, value in chosen.items() if name != "runners_up"},
        "runners_up": [
            {
                "kind": "clip",
                "address": "https://www.pexels.com/video/2/",
                "author": "Ada",
                "licence": "Pexels License",
                "score": 0.7,
                "relevance": 0.5,
                "sharpness": 0.4,
                "subject_kept": 1.0,
            }
        ],
    }
    assert (sources[1]["shot"], sources[1]["address"]) == (1, "generated:number")
    assert (sources[1]["score"], sources[1]["runners_up"]) == (None, [])


def test_found_music_is_a_source_while_the_planned_video_plays_it(client, waiting):
    folder = files.video_folder(client.organisation_id, waiting)
    found = {
        "uri": "s3://media/piano.audio",
        "sha256": "1" * 64,
        "source": "https://commons.wikimedia.org/wiki/File:Slow_piano.ogg",
        "author": "Zoë",
        "licence": "CC BY 4.0",
        "licence_url": "https://creativecommons.org/licenses/by/4.0",
        "fetched_at": "2026-11-29T08:00:00+00:00",
        "query": "slow piano",
    }
    s3.put_json(files.music_key(folder), found)

    def music(planned):
        s3.put_json(files.timeline_key(folder), {"language": "en", "scenes": [], "music": planned})
        return client("GET", f"/api/v1/videos/{waiting}/sources").body["music"]

    rights = ("author", "licence", "licence_url", "fetched_at", "sha256", "query")
    assert music({"mood": "calm", "asset": {"uri": found["uri"], "sha256": found["sha256"]}}) == {
        "address": found["source"],
        **{name: found[name] for name in rights},
    }
    # The user's own music has taken its place, or the built-in plays.
    assert music({"mood": "calm", "asset": {"uri": "s3://media/own.mp3", "sha256": "2" * 64}}) is None
    assert music({"mood": "calm", "asset": None}) is None
