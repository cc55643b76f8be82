"""A constant quantizer where the CRF would keep its own: when it is chosen, and what the file looks like."""

import io

import av
import pytest

from render.encode import encoders, segments
from render.encode.encoders import Encoder
from render.encode.quantizers import Quantizers
from render.picture.compose import Composer
from render.plan import timeline
from tests.render import samples

LENGTH = 15


class Packet:
    def __init__(self, quantizer, size, is_keyframe=False):
        self.quantizer, self.size, self.is_keyframe = quantizer, size, is_keyframe

    def has_sidedata(self, name):
        return name == "quality_stats" and self.quantizer > 0

    def get_sidedata(self, name):
        assert name == "quality_stats"
        return (self.quantizer * 118).to_bytes(4, "little") + bytes(4)


def chosen(*groups, changes=()):
    """Return the choice after each group of frames. A group is (quantizers or one, bytes of a frame)."""
    quantizers, found = Quantizers(LENGTH, changes), []
    for number, (quantizer, size) in enumerate(groups, 1):
        each = quantizer if isinstance(quantizer, list) else [quantizer] * (LENGTH - 1)
        quantizers.feed([Packet(14, 90_000, is_keyframe=True), *(Packet(one, size) for one in each)])
        found.append(quantizers.next_group(number * LENGTH))
    return found


def test_a_steady_picture_keeps_the_quantizer_that_the_crf_chose():
    after_key_frame = [21, 20, 19, 18, 18, 17] + [17] * 8
    assert chosen((after_key_frame, 8000), (18, 8000), (18, 9900), (18, 6100)) == [18, 18, 18, 18]


def test_a_changing_picture_is_left_to_the_crf():
    assert chosen(([14] * 8 + [14, 15, 16, 17, 18, 19], 8000), (18, 8000)) == [None, 18]


def test_the_crf_chooses_again_where_the_picture_gets_more_complex_or_something_else_begins():
    assert chosen((18, 8000), (18, 8000), (18, 12_000), (23, 12_000)) == [18, 18, None, 23]
    # The picture changes in the third group: neither that one nor the next is like the one before.
    assert chosen(*[(18, 8000)] * 4, changes={40}) == [18, None, None, 18]


def test_a_simpler_picture_gets_a_lower_quantizer():
    assert chosen((18, 8000), (18, 8000), (18, 5000), (17, 6000), (17, 6000)) == [18, 18, 17, 17, 17]


def test_no_quantizer_is_so_low_that_x264_takes_it_for_lossless():
    assert chosen((0, 20), (1, 20), (7, 20)) == [None, None, None]
    assert chosen((9, 800), (9, 800), (9, 400), (8, 400), (8, 200)) == [9, 9, 8, 8, 8]


@pytest.fixture(scope="module")
def still_film(plan_document, tmp_path_factory):
    """Return a timeline of two photographs in three seconds, the second after 1.6 s, and its files."""
    folder = tmp_path_factory.mktemp("quantizers")
    shots = []
    for number, (start_s, end_s) in enumerate(((0, 1.6), (1.6, 3))):
        samples.photograph(folder / f"{number}.jpg", 300, 520, number)
        visual = {"kind": "image", "asset": {"uri": f"{number}.jpg"}, "motion": {"kind": "zoom_in"}}
        shots.append({"id": str(number), "start_s": start_s, "end_s": end_s, "visual": visual})
    output = {"name": "o", "width": 180, "height": 320}
    parsed = timeline.parse(
        plan_document(schema_version=2, scenes=[{"id": "0", "shots": shots}], outputs=[output])
    )
    return parsed, {asset.uri: folder / asset.uri for _, asset in parsed.assets()}


def encoded(film, target):
    """Encode the film as one piece and return its packets."""
    parsed, files = film
    output = parsed.outputs[0]
    piece = segments.Segment(output, 0, 0, parsed.frame_count, "photographs", target.name)
    session = segments.Session(Encoder("libx264", ""), output, parsed.fps)
    list(session.encode(piece, Composer(parsed, output, files), target, lambda _: None))
    with av.open(str(target)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def test_a_piece_with_several_encoders_is_one_stream(still_film, tmp_path, monkeypatch):
    monkeypatch.setenv("RENDER_X264_PRESET", "ultrafast")
    packets = encoded(still_film, tmp_path / "one.mp4")
    at = {round(packet.pts * packet.time_base * 30): packet for packet in packets}

    assert sorted(at) == list(range(90))
    assert [number for number, packet in at.items() if packet.is_keyframe] == list(range(0, 90, LENGTH))
    # x264 writes its options into the first frame of each encoder. The second photograph begins with frame
    # 48: the groups from 45 and from 60 on are the CRF's.
    kinds = {
        number: kind
        for number, packet in at.items()
        for kind in ("rc=crf", "rc=cqp")
        if kind.encode() in bytes(packet)
    }
    assert kinds == {0: "rc=crf", 15: "rc=cqp", 45: "rc=crf", 75: "rc=cqp"}
    with av.open(str(tmp_path / "one.mp4")) as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        assert sum(1 for _ in container.decode(video=0)) == 90

    encoded(still_film, tmp_path / "two.mp4")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_stream_headers_do_not_depend_on_the_quantizer(monkeypatch):
    monkeypatch.setenv("RENDER_X264_PRESET", "ultrafast")

    def headers(quantizer):
        with av.open(io.BytesIO(), "w", format="mp4") as container:
            stream = encoders.open_stream(container, Encoder("libx264", ""), 180, 320, 30, "", quantizer)
            container.start_encoding()
            return stream.codec_context.extradata

    assert len({headers(quantizer) for quantizer in (None, 1, 18, 40)}) == 1


def test_other_presets_and_encoders_keep_their_rate_control(monkeypatch):
    assert not any(encoders.keeps_quantizer(Encoder(name, "")) for name in ("libx264", "libx265"))
    monkeypatch.setenv("RENDER_X264_PRESET", "superfast")
    assert not encoders.keeps_quantizer(Encoder("libx264", ""))
