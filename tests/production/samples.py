"""Jobs, scripts and recordings for the tests of production."""

import io
import json
import struct
from pathlib import Path

import jsonschema
from hypothesis import strategies as st
from PIL import Image

from showrunner.production import palettes, script, shots, timeline, visuals, voices
from showrunner.production.job import Job, Output

SCHEMA = json.loads((Path(__file__).parents[2] / "functions/render/timeline.schema.json").read_text())


TIMELINE = jsonschema.Draft202012Validator(SCHEMA)


GENERATED = jsonschema.Draft202012Validator({**SCHEMA["$defs"]["generated"], "$defs": SCHEMA["$defs"]})


words_text = st.text(
    alphabet=st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=200
).filter(str.strip)


def job(**changes: object) -> Job:
    plain = {
        "video_id": "00000000-0000-0000-0000-000000000001",
        "organisation_id": "00000000-0000-0000-0000-0000000000aa",
        "attempt": 1,
        "topic": "Sea cables",
        "source_text": None,
        "manual_script": None,
        "style": "educational",
        "language": "en",
        "length_seconds": 45,
        "voice": voices.find("en", "female1", setting="female1=LocalFemaleVoice0001"),
        "palette": palettes.DEFAULT,
        "caption_preset": None,
        "outputs": [Output(name="9x16", width=1080, height=1920)],
        "assets": [],
        "demo": False,
        "seed": 7,
    }
    return Job.model_validate({**plain, **changes})


def visual(**changes: object) -> script.Visual:
    plain = {
        "description": "a ship",
        "template": "gradient",
        "text": None,
        "items": [],
        "value": None,
        "label": None,
        "attribution": None,
        "series": [],
    }
    return script.Visual.model_validate({**plain, **changes})


def written(words: int, scenes: int = 3) -> script.Script:
    """Return a script of exactly this many spoken words."""
    each, rest = divmod(words - 8, scenes)
    narrations = [" ".join(["word"] * (each + (1 if index < rest else 0))) for index in range(scenes)]
    parts = [
        script.Scene(heading=f"Part {index}", narration=text, visual=visual())
        for index, text in enumerate(narrations)
    ]
    return script.Script(
        title="A title",
        description="About it.",
        tags=["a"],
        hook="one two three four",
        scenes=parts,
        call_to_action="five six seven eight",
    )


def recording(text: str, seconds: float) -> timeline.Recording:
    step = seconds / max(1, len(text))
    starts = [index * step for index in range(len(text))]
    return timeline.Recording(
        text=text,
        uri="s3://b/k.mp3",
        sha256="0" * 64,
        duration_seconds=seconds,
        characters=list(text),
        starts=starts,
        ends=[start + step for start in starts],
    )


def pictures(written: script.Script, ordered: Job) -> list[list[timeline.Picture]]:
    """Return the generated pictures of a script's shots, as the visuals step stores them."""
    return [
        [
            timeline.Picture.model_validate(
                {"words": shot.words, **visuals.generated(shot.visual, f"{scene}-{number}")}
            )
            for number, shot in enumerate(found)
        ]
        for scene, found in enumerate(shots.of_script(written, ordered))
    ]


def image_file(kind: str, width: int, height: int, **options: bool) -> bytes:
    """Return a picture file of one colour: JPEG or PNG."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind, **options)
    return file.getvalue()


def ogg_file(seconds: int, sign: int = 0) -> bytes:
    """Return the pages of an Ogg Vorbis file of this length at 100 samples a second. Its sound is zeros."""
    first = b"\x01vorbis" + struct.pack("<IBI", 0, 1, 100) + bytes(14)
    # A page for each second, with as many bytes as the leanest codecs have.
    sounds = [(100 * each, bytes(750)) for each in range(1, seconds + 1)]
    pages = [(0, first), (0, b"\x03vorbis" + bytes([sign])), *sounds]
    return b"".join(_ogg_page(position, number, packet) for number, (position, packet) in enumerate(pages))


def _ogg_page(position: int, number: int, packet: bytes) -> bytes:
    whole, rest = divmod(len(packet), 255)
    lacing = bytes([255] * whole + [rest])
    return b"OggS\0\0" + struct.pack("<qIII", position, 1, number, 0) + bytes([len(lacing)]) + lacing + packet
