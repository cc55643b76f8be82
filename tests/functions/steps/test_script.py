"""The script step: repairs, a second model, long and manual scripts, and OpenAI's errors."""

import json
from typing import Any

import pytest

from functions.finish import app as finish
from functions.prepare import app as prepare
from functions.script import app as script_step
from functions.voice import app as voice_step
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import (
    AnswerRefused,
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ScriptRejected,
)
from showrunner.production import script
from showrunner.production.job import Job
from showrunner.videos import receipts
from tests.functions.steps.stand_ins import (
    Platforms,
    answer,
    failure,
    good_script,
    list_costs,
    prompt_of,
    words_target,
    write,
)


def test_an_invalid_script_is_repaired_once(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    target = words_target(job)
    platforms.language.extend(
        [answer(json.dumps(good_script(target * 2))), answer(json.dumps(good_script(target)))]
    )

    assert script_step.handler(job, None)["more"] is True
    assert script_step.handler(job, None)["more"] is False

    assert len(platforms.questions) == 2
    assert f"they have {target * 2}" in prompt_of(platforms.questions[1])
    assert len(receipts.list_(job["folder"])) == 2


def test_the_closest_of_two_answers_that_nearly_keep_the_length_is_taken(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    job = prepare.handler(video(), None)
    target = words_target(job)
    far, near = target + 3 * script.words_tolerance(target), target + script.words_tolerance(target) + 2
    platforms.language.extend([answer(json.dumps(good_script(far))), answer(json.dumps(good_script(near)))])

    write(job)

    written = script.Script.model_validate(s3.get_json(f"{job['folder']}/script.json")["script"])
    assert sum(map(script.count_words, written.passages)) == near


@pytest.mark.parametrize(("target", "words"), [(20, 8), (80, 8), (119, 12), (600, 60)])
def test_a_short_part_may_miss_its_length_by_eight_words(target: int, words: int) -> None:
    assert script.words_tolerance(target) == words


def test_a_configured_second_model_is_asked_after_the_repair_fails(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_FALLBACK_MODEL", "gpt-6.1-terra")
    job = prepare.handler(video(), None)
    platforms.language.extend(
        [answer("{}"), answer("nonsense"), answer(json.dumps(good_script(words_target(job))))]
    )

    write(job)

    assert [question["model"] for question in platforms.questions] == [
        "gpt-6-luna",
        "gpt-6-luna",
        "gpt-6.1-terra",
    ]
    assert "You answered" not in prompt_of(platforms.questions[2])


def test_without_a_usable_script_the_step_fails_and_a_retry_asks_again(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    ids = video()
    job = prepare.handler(ids, None)
    platforms.language.extend([answer("{}"), answer("{}")])

    assert script_step.handler(job, None)["more"] is True
    with pytest.raises(ScriptRejected):
        script_step.handler(job, None)

    assert platforms.spoken == []
    assert s3.find_json(f"{job['folder']}/script.json") is None
    finish.handler(failure(job, "script", "ScriptRejected", "{}"), None)
    assert len(list_costs(tx, job["organisation_id"], job["video_id"])) == 2  # refused, but paid for
    db.run(tx, "UPDATE studio.videos SET status = 'queued', attempt = 2 WHERE id = :id", id=job["video_id"])
    job = prepare.handler({**ids, "attempt": 2}, None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])
    assert write(job)["scenes"]


def test_a_long_script_is_written_as_outline_and_parts_one_call_at_a_time(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    job = prepare.handler(video(length_seconds=240), None)
    document = Job.model_validate(s3.get_json(f"{job['folder']}/job.json"))
    base = good_script(100)
    outline = {
        **{name: base[name] for name in ("title", "description", "tags", "hook", "call_to_action")},
        "parts": [{"heading": f"H{n}", "points": ["p"]} for n in range(3)],
    }
    share = round((document.words_target - 10) / 3)
    part = {"scenes": good_script(share + 10, scenes=6)["scenes"]}
    platforms.language.extend([answer(json.dumps(outline)), *(answer(json.dumps(part)) for _ in range(3))])

    calls = 0
    while script_step.handler(job, None)["more"]:
        calls += 1

    assert (calls, len(platforms.questions)) == (3, 4)
    written = script.Script.model_validate(s3.get_json(f"{job['folder']}/script.json")["script"])
    spoken = sum(map(script.count_words, written.passages))
    assert abs(spoken - document.words_target) <= document.words_target * 0.1


def test_a_manual_script_is_spoken_unchanged_without_a_model(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    text = "Exactly this. Not a word more!\n\nAnd this, too."
    job = prepare.handler(video(manual_script=text), None)

    scenes = write(job)["scenes"]
    for scene in scenes:
        voice_step.handler({"scene": scene, **job}, None)

    assert platforms.questions == []
    assert " ".join(platforms.spoken).split() == text.split()


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("invalid_api_key", CredentialRejected),
        ("unsupported_country", CredentialRejected),
        ("insufficient_quota", QuotaExceeded),
        ("credit_balance_exhausted", QuotaExceeded),
        ("organization_spend_limit", QuotaExceeded),
        ("project_spend_limit", QuotaExceeded),
        ("organization_usage_limit", QuotaExceeded),
        ("rate_limit", PlatformUnavailable),
        ("slow_down", PlatformUnavailable),
        ("request_timeout", PlatformUnavailable),
        ("conflict", PlatformUnavailable),
        ("server_error", PlatformUnavailable),
        ("overloaded", PlatformUnavailable),
        ("bad_gateway", PlatformUnavailable),
        ("failed", PlatformUnavailable),
        ("invalid_prompt", PlatformRejected),
        ("refusal", AnswerRefused),
        ("content_filter", AnswerRefused),
    ],
)
def test_openais_errors_say_what_to_do(
    tx: Any, platforms: Platforms, video: Any, outcome: str, error: type[Exception]
) -> None:
    job = prepare.handler(video(), None)
    platforms.language.add(outcome, text="{}")

    with pytest.raises(error):
        script_step.handler(job, None)

    assert len(platforms.questions) == 1  # the machine retries, not the SDK


@pytest.mark.parametrize("outcome", ["refusal", "content_filter"])
def test_a_refusal_is_paid_once_however_often_the_step_runs(
    tx: Any, platforms: Platforms, video: Any, outcome: str
) -> None:
    job = prepare.handler(video(), None)
    platforms.language.add(outcome, text="{}")

    for _ in range(2):
        with pytest.raises(AnswerRefused):
            script_step.handler(job, None)

    assert (len(platforms.questions), len(receipts.list_(job["folder"]))) == (1, 1)


@pytest.mark.parametrize("outcome", ["incomplete", "only_reasoning"])
def test_a_truncated_answer_is_paid_and_requested_shorter(
    tx: Any, platforms: Platforms, video: Any, outcome: str
) -> None:
    job = prepare.handler(video(), None)
    platforms.language.add(outcome, text='{"title": "Cables", "descr')
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])

    assert write(job)["scenes"]

    assert "cut off at the limit of tokens" in prompt_of(platforms.questions[1])
    assert '"descr' not in prompt_of(platforms.questions[1])
    assert len(receipts.list_(job["folder"])) == 2


def test_a_script_in_a_code_fence_is_taken_at_once(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    platforms.language.extend([answer(f"```json\n{json.dumps(good_script(words_target(job)))}\n```")])

    assert write(job)["scenes"]
    assert len(platforms.questions) == 1


def test_an_empty_answer_is_asked_for_again(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    platforms.language.extend([answer(""), answer(json.dumps(good_script(words_target(job))))])

    assert write(job)["scenes"]
    assert "answer: it is empty" in prompt_of(platforms.questions[1])


def test_the_provider_learns_the_tenant_only_as_a_hash(tx: Any, platforms: Platforms, video: Any) -> None:
    job = prepare.handler(video(), None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])

    write(job)

    identifier = platforms.questions[0]["safety_identifier"]
    assert len(identifier) == 64
    assert job["organisation_id"] not in identifier


def test_what_all_questions_share_comes_first_and_is_marked_for_the_cache(
    tx: Any, platforms: Platforms, video: Any
) -> None:
    job = prepare.handler(video(source_text="A cable lies on the sea floor."), None)
    platforms.language.extend([answer("{}"), answer(json.dumps(good_script(words_target(job))))])

    write(job)

    first, second = (question["input"] for question in platforms.questions)
    assert first[0] == second[0]
    assert "A cable lies" in first[0]["content"][0]["text"]
    assert first[0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert {question["prompt_cache_options"]["mode"] for question in platforms.questions} == {"explicit"}


def test_an_older_model_is_asked_without_marks(
    tx: Any, platforms: Platforms, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_MODEL", "gpt-5.4-mini")
    job = prepare.handler(video(), None)
    platforms.language.extend([answer(json.dumps(good_script(words_target(job))))])

    assert write(job)["scenes"]
