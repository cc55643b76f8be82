from dataclasses import replace

import numpy as np
import pytest

from render import ffmpeg
from render.errors import AssetCorrupt
from render.plan import timeline
from render.sound import effects, loudness, mix, music, recordings, soundtrack
from render.sound.pcm import RATE
from render.sound.tracks import MOODS
from tests.render import samples


def film(
    folder,
    texts=("Two of them pump blood through the gills.", "The third one serves the rest."),
    gap_s=2.5,
    **fields,
):
    scenes, at = [], 0.0
    for index, text in enumerate(texts):
        length, words = samples.speech(folder / f"v{index}.wav", text, at + gap_s, seed=index)
        end = at + gap_s + length + gap_s
        narration = {
            "audio": {"uri": f"v{index}.wav"},
            "start_s": at + gap_s,
            "duration_s": length,
            "words": words,
        }
        scenes.append(
            {
                "id": str(index),
                "start_s": at,
                "end_s": end,
                "visual": {"kind": "generated", "generated": {"template": "gradient"}},
                "narration": narration,
            }
        )
        at = end
    document = {
        "schema_version": 1,
        "video_id": "v",
        "title": "t",
        "outputs": [{"name": "o", "width": 320, "height": 180}],
        "scenes": scenes,
        **fields,
    }
    parsed = timeline.parse(document)
    return parsed, {asset.uri: folder / asset.uri for _, asset in parsed.assets()}


def whole(path, folder):
    recording = recordings.decode(path, path.name, 1, folder)
    return recording.read(0, recording.count)


def mixed(parsed, files, folder):
    folder.mkdir(exist_ok=True)
    return np.concatenate(list(mix.Mixer(parsed, files, folder).blocks()))


def level(samples_, folder):
    samples_.astype(np.float32).tofile(folder / "level.f32")
    return loudness.loudness_of_file(folder / "level.f32")


def test_the_meter_reads_the_standards_reference_tone(tmp_path):
    """997 Hz at -20 dBFS in both channels is -20 LUFS (EBU Tech 3341, case 1, scaled)."""
    t = np.arange(20 * RATE) / RATE
    tone = 10 ** (-20 / 20) * np.sin(2 * np.pi * 997 * t)
    assert level(np.stack([tone, tone], axis=1), tmp_path) == pytest.approx(-20.0, abs=0.1)
    assert level(np.zeros((RATE, 2)), tmp_path) == -np.inf


def test_a_mono_voice_is_measured_as_dual_mono(tmp_path):
    samples.ffmpeg("-f", "lavfi", "-i", "sine=f=997:d=3:r=48000", tmp_path / "tone.wav")
    recording = recordings.decode(tmp_path / "tone.wav", "tone.wav", 1, tmp_path)
    both = np.repeat(recording.read(0, recording.count), 2, axis=1)
    assert recording.lufs == pytest.approx(level(both, tmp_path), abs=0.1)


@pytest.mark.parametrize("length_s", [0.2, 0.35, 3.0])
def test_a_single_syllable_is_as_loud_as_a_sentence(tmp_path, length_s):
    parsed, files = film(tmp_path, music=None)
    samples.ffmpeg("-f", "lavfi", "-i", f"sine=f=500:d={length_s}:r=24000,volume=-9dB", files["v0.wav"])
    loudest = np.abs(mixed(parsed, files, tmp_path / "w")[: round(parsed.scenes[0].end_s * RATE)]).max()
    # A tone of this frequency at -16 LUFS from both speakers.
    assert 20 * np.log10(loudest) == pytest.approx(-15.5, abs=1.5)


@pytest.mark.parametrize("mood", sorted(MOODS))
def test_the_finished_track_is_at_its_target(tmp_path, mood):
    parsed, files = film(tmp_path, music={"mood": mood})
    track = soundtrack.produce(parsed, files, tmp_path / "work")
    assert track.measured.loudness.integrated_lufs == pytest.approx(-14, abs=0.6)
    assert track.measured.loudness.true_peak_dbtp <= -1.0
    assert ffmpeg.probe(track.path).duration_s == pytest.approx(parsed.duration_s, abs=0.05)


def test_a_voice_with_high_peaks_is_limited_below_the_ceiling(tmp_path):
    parsed, files = film(tmp_path, music=None)
    signal = whole(files["v0.wav"], tmp_path)[:, 0] * 0.2
    signal[:: RATE // 8] = 0.99
    pcm = (signal * 32000).astype(np.int16).tobytes()
    samples.ffmpeg("-f", "lavfi", "-i", f"anullsrc=r={RATE}:d=0.1", tmp_path / "x.wav")
    (tmp_path / "v0.raw").write_bytes(pcm)
    samples.ffmpeg("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", tmp_path / "v0.raw", files["v0.wav"])
    track = soundtrack.produce(parsed, files, tmp_path / "work")
    assert track.measured.loudness.true_peak_dbtp <= -1.0
    assert track.measured.loudness.integrated_lufs == pytest.approx(-14, abs=1.0)


def test_the_music_is_lowered_by_twelve_decibels_under_speech(tmp_path):
    parsed, files = film(tmp_path, music={"mood": "calm", "duck_db": 12})
    (tmp_path / "w").mkdir()
    mixer = mix.Mixer(parsed, files, tmp_path / "w")
    envelope = mixer._duck()
    narration = parsed.scenes[0].narration
    first, last = round(narration.words[0].start_s * 100), round(narration.words[-1].end_s * 100)
    assert envelope[first + 5 : last - 5].max() <= -12 + 0.01
    assert envelope[100] == 0
    # Lowered smoothly before the first sound: at most 1 dB per hundredth of a second.
    assert envelope[first] <= -11.5
    assert np.abs(np.diff(envelope)).max() < 1.0


def test_the_music_under_speech_is_twelve_decibels_quieter(tmp_path):
    """The bed alone, as it lies in the mix: the mix minus the same mix without music.

    Held against the same bed that was not ducked.
    """
    heard = {}
    for duck_db, level_db in ((12, -20), (0, -8)):
        folder = tmp_path / str(duck_db)
        folder.mkdir()
        with_bed = film(folder, music={"mood": "calm", "duck_db": duck_db, "level_db": level_db})
        without = film(folder, music=None)
        heard[duck_db] = mixed(*with_bed, folder / "w") - mixed(*without, folder / "w")
    words = [word for scene in with_bed[0].scenes for word in scene.narration.words]
    for word in words:
        part = np.s_[round(word.start_s * RATE) : round(word.end_s * RATE)]
        assert 20 * np.log10(heard[12][part].std() / heard[0][part].std()) <= -11.9, word.text
    open_ = np.s_[RATE : round((words[0].start_s - 0.5) * RATE)]
    assert 20 * np.log10(heard[12][open_].std() / heard[0][open_].std()) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("gap_s", [0.8, 3.0])
@pytest.mark.parametrize("mood", sorted(MOODS))
def test_the_music_is_heard_in_pauses_of_the_finished_track_and_ducked_under_speech(tmp_path, mood, gap_s):
    """Mastering makes up for the quiet pauses of a video: its music must not become louder."""
    parsed, files = film(tmp_path, gap_s=gap_s, music={"mood": mood})
    scenes = list(parsed.scenes)
    pause_s = 6.0
    ends_s = parsed.duration_s
    shot = replace(scenes[-1].shots[0], start_s=ends_s, end_s=ends_s + pause_s)
    scenes.append(replace(scenes[-1], id="pause", narration=None, shots=(shot,)))
    parsed = replace(parsed, scenes=tuple(scenes))
    track = soundtrack.produce(parsed, files, tmp_path / "work")
    at = parsed.duration_s - pause_s
    samples.ffmpeg(
        *("-ss", f"{at + 0.5}", "-t", "3.5", "-i", track.path),
        *("-f", "f32le", "-ac", "2", "-ar", str(RATE), tmp_path / "pause.f32"),
    )
    assert -26 <= loudness.loudness_of_file(tmp_path / "pause.f32") <= -22
    assert track.measured.loudness.integrated_lufs == pytest.approx(-14, abs=0.5)


def test_accents_of_the_music_are_at_changes_of_scene(tmp_path):
    """One for each change, but none for the beginning; the user's own music gets none."""
    parsed, files = film(tmp_path, music={"mood": "calm"})
    mixer = mix.Mixer(parsed, files, tmp_path)
    assert [round(at / RATE + music.ACCENT_LEAD_S, 3) for at, _ in mixer.bed.accents] == [
        pytest.approx(parsed.scenes[1].start_s, abs=0.001)
    ]
    cut = round(parsed.scenes[1].start_s * RATE)
    accented = mixer.bed.block(cut, RATE // 2)
    mixer.bed.accents = []
    assert accented.std() > 1.15 * mixer.bed.block(cut, RATE // 2).std()


def test_the_users_music_begins_at_its_chosen_section(tmp_path):
    """Three seconds of 300 Hz, then 700 Hz: from second 3 on only the latter is heard."""
    tones = "sine=f=300:d=3:r=48000[a];sine=f=700:d=6:r=48000[b];[a][b]concat=v=0:a=1"
    samples.ffmpeg("-filter_complex", tones, tmp_path / "own.wav")
    parsed, files = film(tmp_path, music={"asset": {"uri": "own.wav"}, "start_s": 3.0})
    bed = mix.Mixer(parsed, files, tmp_path).bed
    assert bed.accents == []
    heard = bed.block(2 * RATE, RATE)[:, 0]
    assert np.argmax(np.abs(np.fft.rfft(heard))) == pytest.approx(700, abs=2)
    assert bed.loop.count == pytest.approx(6 * RATE - recordings.BED_SEAM_S * RATE, abs=RATE // 10)


def test_music_plays_from_its_beginning_if_its_section_is_behind_its_end(tmp_path):
    samples.ffmpeg("-f", "lavfi", "-i", "sine=d=3", tmp_path / "own.wav")
    parsed, files = film(tmp_path, music={"asset": {"uri": "own.wav"}, "start_s": 30.0})

    bed = mix.Mixer(parsed, files, tmp_path).bed

    assert (bed.accents, bed.loop.count) == ([], pytest.approx(2 * RATE, abs=RATE // 10))
    assert len(bed.notes) == 1
    assert "no sound in own.wav after 30 s. It plays from its beginning." in bed.notes[0]


@pytest.mark.parametrize("content", [b"OggS" + bytes(4000), b"#EXTM3U\nhttp://127.0.0.1/x.mp3\n"])
def test_a_built_in_track_plays_if_the_music_cannot_be_decoded(tmp_path, content):
    (tmp_path / "found.ogg").write_bytes(content)
    parsed, files = film(tmp_path, music={"asset": {"uri": "found.ogg"}, "mood": "calm", "start_s": 2.0})

    bed = mix.Bed(parsed, files, tmp_path)

    assert bed.loop.count == music.loop_count(music.track_of("calm", parsed.seed))
    assert bed.accents
    assert "A built-in track plays instead." in bed.notes[-1]


def test_a_users_track_loops_without_a_seam(tmp_path):
    t = np.arange(7 * RATE) / RATE
    np.stack([np.sin(2 * np.pi * 123.4 * t)] * 2, axis=1).astype(np.float32).tofile(tmp_path / "track.f32")
    looped = recordings.looped(recordings.Recording(tmp_path / "track.f32", 2, -14))
    twice = looped.around(0, 2 * looped.count)
    assert twice.shape == (2 * looped.count, 2)
    step = np.abs(np.diff(twice[:, 0]))
    assert step.max() <= 1.45 * 2 * np.pi * 123.4 / RATE


def test_narration_ends_without_clicks(tmp_path):
    """A voice that is cut off mid-wave fades over its last milliseconds."""
    parsed, files = film(tmp_path, music=None)
    tone = (0.5 * np.sin(2 * np.pi * 200 * np.arange(24000) / 24000 + 1.5) * 32000).astype(np.int16)
    (tmp_path / "t.raw").write_bytes(tone.tobytes())
    samples.ffmpeg("-f", "s16le", "-ar", "24000", "-ac", "1", "-i", tmp_path / "t.raw", files["v0.wav"])
    mix = mixed(parsed, files, tmp_path / "w")[: round(parsed.scenes[0].end_s * RATE)]
    loudest = np.abs(mix).max()
    assert np.abs(np.diff(mix[:, 0])).max() < 1.3 * loudest * 2 * np.pi * 200 / RATE


def test_narrations_get_the_same_loudness(tmp_path):
    parsed, files = film(tmp_path, music=None)
    samples.ffmpeg("-i", files["v1.wav"], "-af", "volume=-17dB", tmp_path / "quiet.wav")
    (tmp_path / "quiet.wav").replace(files["v1.wav"])
    mix = mixed(parsed, files, tmp_path / "w")
    cut = round(parsed.scenes[0].end_s * RATE)
    assert level(mix[:cut], tmp_path) == pytest.approx(level(mix[cut:], tmp_path), abs=0.6)


def test_a_transition_sound_lands_on_the_cut():
    for kind in ("whoosh", "pop", "rise"):
        samples_, accent = effects.effect(kind, 1)
        assert 0 <= accent <= samples_.size / RATE
        assert np.abs(samples_[-48:]).max() < 0.05


def test_sound_that_starts_late_or_has_a_gap_keeps_its_times(tmp_path):
    """A recording whose sound starts 0.7 s after the picture, with a second without data."""
    tone = "sine=frequency=440:d=3,aselect='not(between(t,1,2))'"
    picture = ("-f", "lavfi", "-i", "color=black:s=64x64:r=10:d=4")
    sound = ("-itsoffset", "0.7", "-f", "lavfi", "-i", tone)
    samples.ffmpeg(*picture, *sound, "-c:v", "libx264", "-c:a", "pcm_s16le", tmp_path / "late.mkv")
    heard = np.abs(whole(tmp_path / "late.mkv", tmp_path)[:, 0]) > 0.01
    loud = [
        bool(heard[round(at * RATE) : round((at + 0.05) * RATE)].any())
        for at in (0.3, 0.6, 0.8, 1.6, 2.2, 2.8, 3.2)
    ]
    assert loud == [False, False, True, True, False, True, True]


@pytest.mark.parametrize("content", [b"RIFF", b"\0" * 500])
def test_an_unreadable_sound_file_is_named(tmp_path, content):
    parsed, files = film(tmp_path)
    files["v1.wav"].write_bytes(content)
    with pytest.raises(AssetCorrupt, match=r"v1\.wav"):
        soundtrack.produce(parsed, files, tmp_path / "work")


def test_a_silent_narration_is_named(tmp_path):
    parsed, files = film(tmp_path)
    samples.ffmpeg("-f", "lavfi", "-i", "anullsrc=r=24000:cl=mono:d=2", files["v1.wav"])
    with pytest.raises(AssetCorrupt, match="silent"):
        soundtrack.produce(parsed, files, tmp_path / "work")
