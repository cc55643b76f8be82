"""Each step of a publication with each fault: one video, the same bytes, no quota counted twice."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.publish import app as publish
from functions.upload import app as upload
from local.platforms.library import Processing
from showrunner import quotas
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, QuotaExceeded, UploadUnknown
from showrunner.platforms import youtube_studio, youtube_upload
from showrunner.publishing import slices
from tests.conftest import add_user, free_port
from tests.database.test_waking import Sleeper
from tests.publishing.film import mp4
from tests.publishing.studio import PLAYLIST, Machine

CALLS = [
    "uploads.start",
    "uploads.ask",
    "uploads.send",
    "videos.list",
    "thumbnails.set",
    "captions.insert",
    "playlistItems.list",
    "playlistItems.insert",
]
FAULTS = {
    "503": {"kind": "status", "status": 503},
    "429": {"kind": "status", "status": 429, "reason": "rateLimitExceeded"},
    "closed": {"kind": "close"},
    "answer lost": {"kind": "lost"},
    "timeout": {"kind": "slow", "seconds": 0.8},
    "quota": {"kind": "status", "status": 403, "reason": "quotaExceeded", "domain": "youtube.quota"},
}


def require_one_video(studio, status="published", problems=()):
    """One video with the film's bytes, its thumbnail, one track and one playlist item; the row says so."""
    (video,) = studio.uploaded()
    assert video.sha256 == hashlib.sha256(studio.film).hexdigest()
    assert (video.thumbnail is not None, len(video.captions), studio.library.playlists[PLAYLIST]) == (
        True,
        1,
        [video.id],
    )
    row = studio.row()
    assert (studio.status(), row["youtube_video_id"], [each["code"] for each in row["problems"]]) == (
        status,
        video.id,
        list(problems),
    )
    assert quotas.spent_by_share("youtube")["publication"] == 506
    return video


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_any_call_costs_time_only(studio, monkeypatch, call, fault):
    for module, name in ((youtube_upload, "READ_SECONDS"), (youtube_studio, "SECONDS")):
        monkeypatch.setattr(module, name, 0.5)
    studio.library.add_faults([{"on": call, **fault}])

    machine = Machine(studio.order()).run()

    require_one_video(studio)
    assert studio.library.faults == []
    assert machine.waits


@pytest.mark.parametrize("call", CALLS)
def test_a_token_that_expires_is_renewed(studio, call):
    studio.library.add_faults([{"on": call, "kind": "status", "status": 401, "reason": "authError"}])

    Machine(studio.order()).run()

    require_one_video(studio)


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "close"}], ids=["503", "closed"]
)
@pytest.mark.parametrize("stored", [0, 1, 262_144, 299_999])
def test_an_upload_goes_on_at_the_byte_that_youtube_reports(studio, fault, stored):
    studio.library.add_faults([{"on": "uploads.send", "after_bytes": stored, **fault}])

    Machine(studio.order()).run()

    require_one_video(studio)
    assert studio.library.inserts == 1


@pytest.mark.parametrize("fault", [{"kind": "move"}, {"kind": "no_range"}], ids=["new Location", "no Range"])
def test_308_with_a_new_address_or_without_range_is_followed(studio, monkeypatch, fault):
    monkeypatch.setattr(slices, "SLICE_BYTES", 262_144)
    studio.library.add_faults([{"on": "uploads.send", **fault}])

    Machine(studio.order()).run()

    require_one_video(studio)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("call", ["uploads.ask", "uploads.send"])
def test_a_session_that_dies_before_the_last_bytes_begins_anew(studio, monkeypatch, status, call):
    monkeypatch.setattr(slices, "SLICE_BYTES", 262_144)
    studio.library.add_faults([{"on": call, "kind": "gone", "status": status}])

    Machine(studio.order()).run()

    require_one_video(studio)
    assert studio.library.inserts == 2
    assert quotas.spent("youtube", "insert") == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_session_that_dies_with_the_last_answer_finds_the_video_by_its_mark(studio, status):
    """claudiob/yt #192: a blind second upload makes a duplicate whose first id nobody knows."""
    studio.library.add_faults([{"on": "uploads.send", "kind": "gone", "status": status, "after_bytes": 0}])

    Machine(studio.order()).run()

    require_one_video(studio)
    assert studio.library.inserts == 1


def test_an_upload_that_nobody_can_find_waits_for_a_person(studio):
    studio.library.add_faults([{"on": "uploads.send", "kind": "gone"}])

    Machine(studio.order()).run()

    assert studio.uploaded() == []
    assert (studio.status(), studio.row()["problems"][-1]["code"]) == (
        "publish_unknown",
        UploadUnknown.__name__,
    )

    Machine(studio.order(confirm_repeat=True)).run()

    assert len(studio.uploaded()) == 1
    assert studio.status() == "published"


# Without captions: YouTube refuses a track that is there, which the next test covers.
@pytest.mark.parametrize("step", ["check", "reserve", "send", "process", "thumbnail", "playlist", "compare"])
def test_a_worker_that_is_killed_after_its_work_repeats_nothing(studio, step):
    """The machine calls the step again, since no answer came: everything that it did must count once."""
    row = studio.order()
    ids = {name: row[name] for name in ("video_id", "organisation_id", "attempt")}

    def first(reached):
        if reached == step:
            upload.handler({**ids, "step": step}, None)

    Machine(row, before=first).run()

    require_one_video(studio)


@pytest.fixture(params=["refused", "resuming"])
def paused(request, monkeypatch):
    """Return a function that calls a handler as an environment that starts while the database is away."""
    monkeypatch.setattr(db, "WAKE_SECONDS", 0.3)
    sleeper = Sleeper(0, 60) if request.param == "resuming" else None
    port = str(sleeper.port if sleeper else free_port())

    def call(handler, event):
        # A thread has a connection of its own, as a new environment has.
        with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
            patch.setenv("DATABASE_PORT", port)
            return pool.submit(handler, event, None).result()

    yield call
    if sleeper:
        sleeper.listener.close()


@pytest.mark.parametrize("step", ["begin", "send", "settle", "fail"])
def test_a_paused_database_delays_a_step_and_changes_nothing(studio, monkeypatch, paused, step):
    """The machine's Retry calls the step again (tests/contract/test_statemachine.py); then it goes on."""
    handle, met = publish.handler, []
    if step == "fail":
        studio.library.add_faults([{"on": "uploads.send", "kind": "gone"}])

    def handler(event, context):
        following = event.get("next", {}).get("step", "")
        if (event["step"] == step or (step, following) in {("send", "process"), (step, step)}) and not met:
            with pytest.raises(DatabaseUnavailable) as unavailable:
                paused(handle, event)
            met.append(unavailable.value)
        return handle(event, context)

    monkeypatch.setattr(publish, "handler", handler)
    Machine(studio.order()).run()

    assert met, "the step met the pause"
    if step == "fail":
        assert (studio.status(), studio.uploaded()) == ("publish_unknown", [])
    else:
        require_one_video(studio)


def test_the_steps_that_talk_to_youtube_need_no_database(studio, monkeypatch, paused):
    handle = upload.handler
    monkeypatch.setattr(upload, "handler", lambda event, context: paused(handle, event))

    Machine(studio.order()).run()

    require_one_video(studio)


@pytest.mark.parametrize("step", ["begin", "send", "settle"])
def test_a_step_whose_commit_was_answered_to_nobody_is_repeated_without_effect(studio, monkeypatch, step):
    """A worker that is killed after its commit: the machine's Retry calls it again."""
    handle, repeated = publish.handler, []

    def handler(event, context):
        following = event.get("next", {}).get("step", "")
        if event["step"] == step or (step, following) in {("send", "process"), (step, step)}:
            repeated.append(handle(event, context))
        return handle(event, context)

    monkeypatch.setattr(publish, "handler", handler)
    Machine(studio.order()).run()

    assert repeated
    require_one_video(studio)


def test_a_track_that_is_there_is_no_error(studio):
    studio.library.add_faults([{"on": "captions.insert", "kind": "lost"}])

    Machine(studio.order()).run()

    require_one_video(studio)


def test_an_exhausted_quota_waits_and_is_asked_for_once(studio):
    quotas.spend("youtube", "insert", 100, 100)

    machine = Machine(
        studio.order(), before=lambda step: reset_inserts(studio) if machine_waited(studio) else None
    )
    machine.run()

    require_one_video(studio)
    assert machine.waits[0] > 1


def machine_waited(studio) -> bool:
    return studio.row()["waiting_for"] is not None


def reset_inserts(studio) -> None:
    from datetime import UTC, datetime

    from showrunner.aws import dynamodb

    dynamodb.remove(f"quota#youtube#{quotas.pacific_day(datetime.now(UTC))}", "insert")


@pytest.mark.parametrize(("call", "bucket"), [("uploads.start", "insert"), ("captions.insert", "general")])
def test_a_quota_that_youtube_calls_spent_is_closed_for_everybody(studio, monkeypatch, call, bucket):
    monkeypatch.setattr(quotas, "_is_fresh", lambda now: False)
    studio.library.add_faults([{"on": call, **FAULTS["quota"]}])

    machine = Machine(studio.order()).run()

    require_one_video(studio)
    assert machine.waits[0] > 300
    with pytest.raises(QuotaExceeded):
        quotas.reserve("youtube", bucket, 1, quotas.ALL_UNITS, "another")


@pytest.mark.parametrize(("result", "reason"), [("failed", "codec"), ("rejected", "duplicate")])
def test_a_video_that_youtube_fails_or_rejects_keeps_its_id(studio, result, reason):
    studio.library.processing = Processing(result=result, reason=reason)

    Machine(studio.order()).run()

    assert (studio.status(), studio.row()["youtube_video_id"], studio.row()["problems"][0]["code"]) == (
        "published",
        studio.uploaded()[0].id,
        reason,
    )


def test_processing_that_takes_time_is_polled_with_growing_intervals(studio):
    studio.library.processing = Processing(looks=6)

    machine = Machine(studio.order()).run()

    require_one_video(studio)
    assert machine.waits == sorted(machine.waits)
    assert machine.waits[0] == 5


def test_an_unverified_channel_is_published_without_its_thumbnail(studio):
    studio.library.unverified.add(studio.youtube_channel_id)

    Machine(studio.order()).run()

    (first, *_) = studio.row()["problems"]
    assert (studio.status(), first["step"], first["code"]) == ("published", "thumbnail", "forbidden")
    studio.library.unverified.clear()

    Machine(studio.order(is_repeat=True)).run()

    assert (
        studio.status(),
        studio.row()["problems"],
        len(studio.uploaded()),
        len(studio.uploaded()[0].captions),
    ) == ("published", [], 1, 1)


def test_a_channel_at_its_own_limit_waits_for_a_day(studio):
    studio.library.full.add(studio.youtube_channel_id)
    machine = Machine(
        studio.order(), before=lambda step: studio.library.full.clear() if machine_waited(studio) else None
    ).run()

    require_one_video(studio)
    assert machine.waits[0] == 3600  # an hour at a time, so that a cancelled one ends


def test_a_disconnected_channel_waits_for_its_owner(studio):
    studio.disconnect()
    row = studio.order()
    machine = Machine(row)
    state = {"do": "begin"}
    for _ in range(12):
        state = machine.next(state)

    assert machine.waits
    assert set(machine.waits) == {900}
    assert "connect it again" in studio.row()["waiting_for"]
    assert studio.uploaded() == []


def test_a_film_of_many_parts_arrives_whole(studio, monkeypatch):
    monkeypatch.setattr(slices, "SLICE_BYTES", 262_144)
    film = mp4(size=3_000_001)
    key = f"organisations/{studio.organisation_id}/videos/{studio.video_id}/render"
    report = s3.get_json(f"{key}/report.json")
    report["outputs"][0] |= {"bytes": len(film), "sha256": hashlib.sha256(film).hexdigest()}
    s3.put_bytes(f"{key}/video.mp4", film)
    s3.put_json(f"{key}/report.json", report)
    db.run(
        studio.tx,
        "UPDATE studio.videos SET product = jsonb_set(product, '{outputs,0,bytes}', to_jsonb(:size::int)) "
        "WHERE id = :id",
        size=len(film),
        id=studio.video_id,
    )
    studio.library.add_faults([{"on": "uploads.send", "kind": "close", "after_bytes": 100_000, "times": 3}])

    Machine(studio.order()).run()

    (video,) = studio.uploaded()
    assert video.sha256 == hashlib.sha256(film).hexdigest()


def test_a_withdrawn_permission_is_told_once_and_shown_as_a_task(studio, client):
    user = add_user(studio.tx)
    db.run(
        studio.tx,
        "UPDATE accounts.connections SET connected_by = :user WHERE id = :id",
        user=user,
        id=studio.connection_id,
    )
    studio.world.sign_ins.refresh_tokens.clear()  # Google's answer is invalid_grant
    studio.expire_tokens()
    machine, state = Machine(studio.order()), {"do": "begin"}
    before = len(sent_emails())
    for _ in range(12):
        state = machine.next(state)

    assert studio.row()["waiting_for"]
    assert len(sent_emails()) == before + 1
    tasks = client("GET", f"/api/v1/channels/{studio.channel_id}").body["setup_tasks"]
    (task,) = (each for each in tasks if each["task"] == "connect_youtube")
    assert (task["done"], "/auth/oauth/youtube/start" in task["description"]) == (False, True)

    studio.reconnect()
    Machine(studio.row()).run()

    require_one_video(studio)
    tasks = client("GET", f"/api/v1/channels/{studio.channel_id}").body["setup_tasks"]
    assert next(each["done"] for each in tasks if each["task"] == "connect_youtube") is True


def sent_emails():
    from moto.ses.models import ses_backends

    return list(ses_backends["123456789012"]["us-east-1"].sent_messages)
