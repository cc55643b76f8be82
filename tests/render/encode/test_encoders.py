import pytest

from render.encode import encoders
from render.errors import EncoderFailed


def only(*names):
    return lambda name: None if name in names else f"no {name}"


def test_the_gpu_is_used_if_it_can_encode_a_frame():
    chosen = encoders.choose("h264", "auto", only("h264_nvenc", "libx264"))
    assert chosen.name == "h264_nvenc"
    assert chosen.on_gpu


def test_a_card_without_nvenc_falls_back_and_says_why():
    chosen = encoders.choose("h264", "auto", only("libx264"))
    assert chosen.name == "libx264"
    assert "no h264_nvenc" in chosen.reason
    assert not chosen.on_gpu


@pytest.mark.parametrize(
    ("codec", "gpu", "cpu"),
    [("h264", "h264_nvenc", "libx264"), ("hevc", "hevc_nvenc", "libx265"), ("av1", "av1_nvenc", "libsvtav1")],
)
def test_each_codec_has_an_encoder_of_both_kinds(codec, gpu, cpu):
    assert encoders.choose(codec, "auto", only(gpu)).name == gpu
    assert encoders.choose(codec, "auto", only(cpu)).name == cpu


def test_a_card_without_av1_still_encodes_h264():
    assert encoders.choose("av1", "auto", only("h264_nvenc", "libsvtav1")).name == "libsvtav1"


def test_requesting_the_cpu_does_not_probe_the_gpu():
    asked = []
    assert encoders.choose("h264", "cpu", lambda name: asked.append(name)).name == "libx264"
    assert asked == ["libx264"]


def test_requesting_an_absent_gpu_is_a_retryable_error():
    with pytest.raises(EncoderFailed) as failure:
        encoders.choose("h264", "gpu", only("libx264"))
    assert failure.value.exit_code == 4


def test_no_encoder_at_all_is_an_error():
    with pytest.raises(EncoderFailed, match="libx264"):
        encoders.choose("h264", "auto", only())


def test_probing_encodes_a_frame_here():
    assert encoders.works("libx264") is None


def test_the_probe_reports_why_nvenc_does_not_work_without_a_driver():
    complaint = encoders.works("h264_nvenc")
    assert complaint is None or len(complaint) > 5


def test_the_options_of_each_encoder_are_these():
    assert encoders.options(encoders.Encoder("libx264", ""), 30) == {
        "preset": "veryfast",
        "crf": "21",
        "threads": "1",
        "profile": "high",
        "b-pyramid": "none",
        "g": "60",
    }
    assert (
        encoders.options(encoders.Encoder("libx264", ""), 30, photographs=True)["x264-params"]
        == "partitions=i4x4,i8x8:me=dia"
    )
    assert encoders.options(encoders.Encoder("h264_nvenc", ""), 30) == {
        "preset": "p4",
        "tune": "hq",
        "rc": "vbr",
        "cq": "23",
        "b": "0",
        "spatial-aq": "1",
        "bf": "2",
        "g": "15",
    }
    assert encoders.options(encoders.Encoder("hevc_nvenc", ""), 60)["g"] == "30"
    assert encoders.options(encoders.Encoder("av1_nvenc", ""), 30)["cq"] == "30"


def test_the_preset_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RENDER_X264_PRESET", "medium")
    assert encoders.options(encoders.Encoder("libx264", ""), 30)["preset"] == "medium"
    # A preset that searches more is not made to search less.
    assert "x264-params" not in encoders.options(encoders.Encoder("libx264", ""), 30, photographs=True)
