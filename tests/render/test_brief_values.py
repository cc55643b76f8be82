"""Render a small film for every value that a brief or a channel's settings can name."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from render import ffmpeg
from render.plan import assets
from render.plan import timeline as renderer
from render.text import pages
from showrunner.channels import schemas as channels
from showrunner.production import files, planning, script, timeline, voices
from showrunner.production.job import SIZES, Output, Pace
from showrunner.videos.ordering import LENGTHS
from showrunner.videos.schemas import Aspect, Brief
from tests.production.samples import job, pictures
from tests.render import samples
from tests.render.program import call

# A fifth of the real size: enough to lay out titles, cards and captions.
SCALE = 0.2
TEXTS = {
    "en": "Ships leave. They carry 40 crates.",
    "de": "Schiffe fahren. Sie tragen 40 Kisten.",
    "es": "Salen barcos. Llevan 40 cajas.",
    "fr": "Des navires partent. Ils portent 40 caisses.",
}
FILMS = {
    "bold": {"style": "educational", "pace": "calm", "language": "en", "aspects": ["9:16"], "font": "Inter"},
    "clean": {
        "style": "entertainment",
        "pace": "normal",
        "language": "es",
        "aspects": ["16:9"],
        "font": "Montserrat",
    },
    "boxed": {"style": "news", "pace": "fast", "language": "fr", "aspects": ["1:1"], "font": "Anton"},
    "karaoke": {
        "style": "entertainment",
        "pace": "calm",
        "language": "de",
        "aspects": ["9:16", "16:9", "1:1"],
        "font": None,
    },
    "impact": {
        "style": "educational",
        "pace": "normal",
        "language": "en",
        "aspects": ["16:9"],
        "font": "Source Serif 4",
    },
    "panel": {"style": "news", "pace": "fast", "language": "es", "aspects": ["9:16"], "font": None},
    "documentary": {
        "style": "entertainment",
        "pace": "calm",
        "language": "fr",
        "aspects": ["1:1"],
        "font": "Inter",
    },
}


def output(aspect: str) -> Output:
    name, width, height = SIZES[aspect]
    return Output(name=name, width=round(width * SCALE / 2) * 2, height=round(height * SCALE / 2) * 2)


def recordings(folder: Path, written: script.Script) -> list[timeline.Recording]:
    found = []
    for number, text in enumerate(written.passages):
        path = folder / f"{number}.wav"
        seconds, _ = samples.speech(path, text, words_per_s=3.5)
        found.append(
            timeline.Recording(
                text=text,
                uri=str(path),
                sha256=assets.sha256(path),
                duration_seconds=seconds,
                characters=[],
                starts=[],
                ends=[],
            )
        )
    return found


def rendered(folder: Path, planned: dict[str, Any]) -> dict[str, Any]:
    path = folder / "timeline.json"
    path.write_text(json.dumps(planned))
    done = call(path, folder / "out")
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    return json.loads((folder / "out" / files.REPORT_NAME).read_text())


def planned_of(folder: Path, written: script.Script, **changes: Any) -> dict[str, Any]:
    ordered = job(**changes)
    return timeline.plan(ordered, written, recordings(folder, written), pictures(written, ordered))


@pytest.mark.parametrize("preset", FILMS)
def test_every_value_gives_a_finished_film(tmp_path: Path, preset: str) -> None:
    film = FILMS[preset]
    written = planning.finished(
        planning.manual(TEXTS[film["language"]], None, film["language"]), film["language"]
    )
    planned = planned_of(
        tmp_path,
        written,
        manual_script=TEXTS[film["language"]],
        style=film["style"],
        pace=film["pace"],
        language=film["language"],
        caption_preset=preset,
        font=film["font"],
        outputs=[output(aspect) for aspect in film["aspects"]],
    )

    report = rendered(tmp_path, planned)

    assert report["findings"] == []
    assert len(report["outputs"]) == len(film["aspects"])
    for made, aspect in zip(report["outputs"], film["aspects"], strict=True):
        media = ffmpeg.probe(tmp_path / "out" / made["file"])
        assert (media.width, media.height) == (output(aspect).width, output(aspect).height)
        assert abs(media.duration_s - timeline.duration(planned)) < 0.1


def test_the_film_of_a_written_script_has_the_length_that_was_ordered(tmp_path: Path) -> None:
    written = planning.finished(planning.manual("One.\n\n---\n\nTwo.\n\n---\n\nThree.", None, "en"), "en")
    usual = timeline.duration(planned_of(tmp_path, written, manual_script="as it is"))
    ordered = round(usual * 1.2)

    report = rendered(
        tmp_path, planned_of(tmp_path, written, length_seconds=ordered, outputs=[output("1:1")])
    )

    media = ffmpeg.probe(tmp_path / "out" / report["outputs"][0]["file"])
    assert abs(usual - ordered) > 0.1 * ordered
    assert abs(media.duration_s - ordered) <= 0.1 * ordered


def test_the_films_cover_every_value() -> None:
    def used(name: str) -> set[Any]:
        return {film[name] for film in FILMS.values()}

    assert set(FILMS) == set(get_args(channels.CaptionPreset))
    assert used("pace") == set(get_args(Pace.__value__))
    assert used("style") == set(get_args(get_args(Brief.model_fields["style"].annotation)[0]))
    assert used("language") == set(get_args(Brief.model_fields["language"].annotation.__args__[0]))
    assert used("font") - {None} == set(get_args(channels.Font))
    assert {aspect for film in FILMS.values() for aspect in film["aspects"]} == set(get_args(Aspect))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("voice", ["female1", "male1"])
def test_every_length_voice_and_language_is_asked_of_a_model(length: str, language: str, voice: str) -> None:
    found = voices.find(language, voice, setting="female1=a,male1=b")
    asked = script.question(job(length_seconds=LENGTHS[length], language=language, voice=found))

    assert asked.shape == ("Script" if length == "short" else "Outline")
    assert f"Language of everything but visual.description: {language}." in asked.constant


def test_captions_go_on_while_a_card_is_shown(tmp_path: Path) -> None:
    text = (
        "The hull was built in a small yard near the river by four brothers who had never seen the sea. "
        "It was 50 meters long. Nobody had seen such a ship before, and people came from far to look at it."
    )
    written = planning.finished(planning.manual(text, None, "en"), "en")
    planned = planned_of(tmp_path, written, manual_script=text, outputs=[output("9:16")])
    shots = [len(scene["shots"]) for scene in planned["scenes"]]
    assert max(shots) > 1, "the scene has no shot for its card"

    read = renderer.parse(planned)
    shown = pages.paginate(read, read.outputs[0])

    assert " ".join(page.text().replace("\n", " ") for page in shown) == text
    assert all(page.end_s - page.start_s >= 0.3 for page in shown)
    assert all(page.end_s >= max(unit.end_s for unit in page.units) - 0.01 for page in shown)
