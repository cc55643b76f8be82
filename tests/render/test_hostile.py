"""Check untrusted uploads: nothing but the file itself is read, and a header alone causes no large
allocation.
"""

import http.server
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from render import ffmpeg, storage
from render.errors import AssetCorrupt, AssetRefused
from render.picture import clips, overlays, stills
from render.plan import assets, timeline
from render.plan.timeline import Asset, Output, Visual
from render.sound import recordings
from tests.render import samples


@pytest.fixture
def listener():
    """Listen on loopback and record the paths that are requested."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def playlists(secret, address):
    """Plain `ffmpeg -i` reads each of these and what it names (some only under another file extension)."""
    segment = samples.clip(secret.with_name("secret.ts"), 1, "160x120")
    return {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{segment}\n"
        f"#EXTINF:1,\n{address}/b.ts\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{secret}'\nfile '{address}/c.mp4'\n",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {address.rsplit(':', 1)[1]} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "manifest.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1">'
        f"<BaseURL>{address}/d.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "drawing.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        f'<image href="{address}/e.png" width="9" height="9"/></svg>',
    }


@pytest.mark.parametrize("disguise", ["", ".mp4", ".jpg"])
@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat", "session.sdp", "manifest.mpd", "drawing.svg"])
def test_a_playlist_opens_no_other_file_and_no_address(tmp_path, listener, name, disguise):
    address, asked = listener
    secret = samples.clip(tmp_path / "secret.mp4", 1, "160x120")
    upload = tmp_path / (name + disguise)
    upload.write_text(playlists(secret, address)[name])
    for read in (
        lambda: ffmpeg.probe(upload, "upload"),
        lambda: clips.still(upload, "upload", 0.1),
        lambda: clips.ClipPainter(upload, "upload", Visual("clip", Asset("upload")), 64, 64, 30),
        lambda: recordings.decode(upload, "upload", 1, tmp_path),
        lambda: stills.load(upload, "upload", 100),
        lambda: overlays.logo(upload, "upload", Output("o", 320, 320)),
    ):
        with pytest.raises((AssetRefused, AssetCorrupt), match="upload"):
            read()
    assert asked == []


def test_a_playlist_is_refused_by_its_name(tmp_path):
    secret = samples.clip(tmp_path / "secret.mp4", 1, "160x120")
    (tmp_path / "film.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    with pytest.raises(AssetRefused, match=r"film\.mp4 is a playlist"):
        ffmpeg.probe(tmp_path / "film.mp4", "film.mp4")


def test_plain_ffmpeg_follows_the_same_playlists(tmp_path):
    """Prove that the tests above can fail."""
    secret = samples.clip(tmp_path / "secret.mp4", 1, "160x120")
    (tmp_path / "film.mp4").write_text(f"ffconcat version 1.0\nfile '{secret.name}'\n")
    assert len(samples.ffmpeg("-i", tmp_path / "film.mp4", "-f", "rawvideo", "-")) > 10_000


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "a.mkv", "a.avi", "a.ts"])
def test_clips_of_every_usual_kind_are_read(tmp_path, name):
    coding = (
        ("-c:v", "libvpx", "-deadline", "realtime")
        if name.endswith("webm")
        else ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    )
    samples.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=0.4", *coding, tmp_path / name)
    assert (ffmpeg.probe(tmp_path / name).width, clips.still(tmp_path / name, name, 0.1).shape[1]) == (
        160,
        320,
    )


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a", "a.ogg", "a.flac", "a.aiff"])
def test_sound_of_every_usual_kind_is_read(tmp_path, name):
    samples.ffmpeg("-f", "lavfi", "-i", "sine=d=0.5:r=44100", tmp_path / name)
    assert recordings.decode(tmp_path / name, name, 1, tmp_path).count == pytest.approx(24_000, abs=3000)


def test_a_clip_of_giant_pictures_is_refused_before_one_is_decoded(tmp_path):
    samples.ffmpeg("-f", "lavfi", "-i", "color=s=9000x4200:d=0.1:r=10", "-c:v", "png", tmp_path / "giant.mov")
    with pytest.raises(AssetRefused, match="megapixels"):
        clips.still(tmp_path / "giant.mov", "giant.mov", 0)
    with pytest.raises(AssetRefused, match="megapixels"):
        clips.ClipPainter(tmp_path / "giant.mov", "giant.mov", Visual("clip"), 64, 64, 30)


def test_a_picture_that_unpacks_to_gigabytes_is_refused(tmp_path):
    """Thirty kilobytes claim 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = (30_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    data = zlib.compress(bytes(30_000_000))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    for read in (
        lambda: stills.load(tmp_path / "bomb.png", "bomb.png", 100),
        lambda: overlays.logo(tmp_path / "bomb.png", "bomb.png", Output("o", 320, 320)),
    ):
        with pytest.raises(AssetRefused, match=r"bomb\.png"):
            read()


def test_formats_decoded_at_full_size_have_a_lower_pixel_limit_than_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr(stills, "LARGEST_WHOLE", 40_000)
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.jpg")
    assert stills.load(tmp_path / "a.jpg", "a.jpg", 100).shape == (100, 133, 3)
    with pytest.raises(AssetRefused):
        stills.load(tmp_path / "a.png", "a.png", 100)


def test_postscript_is_not_started(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    with pytest.raises(AssetCorrupt, match="has another format"):
        stills.load(tmp_path / "a.jpg", "a.jpg", 100)


ELSEWHERE = [
    "http://127.0.0.1/a.jpg",
    "file:///etc/passwd",
    "FTP://x/a",
    "concat:/etc/passwd|/etc/hosts",
    "data:image/png;base64,AA",
    "s3://bucket",
    "s3:///k",
]


@pytest.mark.parametrize("base", ["s3://bucket/a", "/films"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_asset_outside_s3_and_the_disk_is_refused(base, name):
    with pytest.raises(AssetRefused):
        storage.join(base, name)


@pytest.mark.parametrize("name", ["/etc/passwd", "../other/photo.jpg", "a/../../b.jpg"])
def test_a_timeline_in_s3_reads_no_file_of_the_machine(plan, tmp_path, name):
    document = plan()
    document["scenes"][0]["visual"] = {"kind": "image", "asset": {"uri": name}}
    with pytest.raises(AssetRefused) as refused:
        assets.fetch_all(timeline.parse(document), "s3://bucket/a", tmp_path)
    assert refused.value.asset == name
    assert refused.value.exit_code == 3
