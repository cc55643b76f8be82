import av
import pytest

from render import isolation
from render.encode import encoders
from render.encode.encoders import Encoder, Probe
from render.errors import EncoderFailed, GpuUnavailable
from render.plan.timeline import Output

SMALL = Output("o", 320, 180)


def only(*names, still_bits=None):
    """Return a prober of a machine where just these encoders work."""

    def prober(name):
        if name not in names:
            raise isolation.Failed(f"no {name}")
        return Probe("headers", still_bits)

    return prober


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
    assert encoders.choose("h264", "cpu", lambda name: asked.append(name) or Probe()).name == "libx264"
    assert asked == ["libx264"]


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_a_required_gpu_that_does_not_work_ends_the_job_for_a_cpu(codec):
    with pytest.raises(GpuUnavailable, match="no h264_nvenc") as failure:
        encoders.choose(codec, "gpu", only("libx264", "libsvtav1"))
    assert failure.value.exit_code == 5
    assert failure.value.as_document()["retryable"]


def test_a_required_gpu_may_lack_a_codec():
    chosen = encoders.choose("av1", "gpu", only("h264_nvenc", "libsvtav1"))
    assert chosen.name == "libsvtav1"
    assert "no av1_nvenc" in chosen.reason


def test_no_encoder_at_all_is_an_error():
    with pytest.raises(EncoderFailed, match="libx264"):
        encoders.choose("h264", "auto", only())


def test_probing_encodes_a_frame_here():
    assert encoders.works("libx264", SMALL) is None


def test_the_probe_reports_why_nvenc_does_not_work_without_a_driver():
    complaint = encoders.works("h264_nvenc", SMALL)
    assert complaint is None or len(complaint) > 5


def test_the_probe_encodes_at_the_outputs_size():
    """Which sizes an encoder takes differs by codec and card; libx264 takes no more than 16384."""
    assert encoders.works("libx264", Output("o", 4096, 2304)) is None
    with pytest.raises(isolation.Failed):
        encoders.probe(Output("o", 16390, 16), 30)("libx264")


@pytest.mark.parametrize("shows", ["", "photographs", "clips"])
def test_the_probe_knows_the_headers_of_the_pieces(tmp_path, shows):
    found = encoders.probe(SMALL, 30)("libx264")
    for fps, same in ((30, True), (25, False)):
        path = tmp_path / f"{fps}.mp4"
        with av.open(str(path), "w", format="mp4") as container:
            stream = encoders.open_stream(container, Encoder("libx264", ""), 320, 180, fps, shows)
            frame = av.VideoFrame(320, 180, "nv12")
            container.mux([*stream.encode(frame), *stream.encode()])
        assert (encoders.headers_of(path) == found.headers) is same


def test_a_gpus_still_frames_are_measured_by_the_probe():
    measured = encoders.choose("h264", "auto", only("h264_nvenc", still_bits=0.004))
    assert measured.still_bits == pytest.approx(0.008)


@pytest.mark.parametrize(
    ("card", "preset"),
    [("Tesla T4", "p2"), ("NVIDIA A10G", "p2"), ("NVIDIA L4", "p4"), ("NVIDIA H100", "p4"), ("", "p4")],
)
def test_nvenc_has_a_preset_for_each_card(card, preset, monkeypatch):
    encoder = Encoder("h264_nvenc", "", device=f"{card}, driver 570.86.15", still_bits=0.01)
    assert encoders.options(encoder, 30)["preset"] == preset
    monkeypatch.setenv("RENDER_NVENC_PRESET", "p1")
    assert encoders.options(encoder, 30)["preset"] == "p1"


def test_the_options_of_each_encoder_are_these():
    x264 = {
        "preset": "veryfast",
        "crf": "21",
        "threads": "1",
        "profile": "high",
        "b-pyramid": "none",
        "x264-params": "stitchable=1",
        "g": "60",
    }
    assert encoders.options(Encoder("libx264", "", still_bits=encoders.STILL_BITS), 30) == x264
    photographs = encoders.options(Encoder("libx264", "", still_bits=0.1), 30, "photographs")
    assert photographs == x264 | {
        "crf": "20",
        "x264-params": "stitchable=1:partitions=i4x4,i8x8:me=dia:rc-lookahead=5:b-adapt=0:scenecut=0",
    }
    clips = encoders.options(Encoder("libx264", "", still_bits=0.1), 30, "clips")
    assert clips == x264 | {"crf": "20.3", "x264-params": "stitchable=1:rc-lookahead=5"}
    nvenc = {"preset": "p4", "tune": "hq", "rc": "vbr", "cq": "23", "b": "0", "spatial-aq": "1", "bf": "2"}
    assert encoders.options(Encoder("h264_nvenc", "", still_bits=0.01), 30) == {
        **nvenc,
        "forced-idr": "1",
        "g": "60",
    }
    assert encoders.options(Encoder("av1_nvenc", ""), 30)["cq"] == "30"


def test_only_the_fast_presets_of_x264_have_a_key_frame_every_half_second(monkeypatch):
    monkeypatch.setenv("RENDER_X264_PRESET", "ultrafast")
    names = ("libx264", "libx265", "libsvtav1", "h264_nvenc")
    assert [encoders.options(Encoder(name, ""), 30)["g"] for name in names] == ["15", "60", "60", "60"]


def test_the_preset_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RENDER_X264_PRESET", "medium")
    assert encoders.options(Encoder("libx264", ""), 30)["preset"] == "medium"
    # A preset that searches more is not made to search less.
    plain, photographs, clips = (
        encoders.options(Encoder("libx264", ""), 30, shows) for shows in ("", "photographs", "clips")
    )
    assert plain == photographs == clips
