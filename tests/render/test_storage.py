"""Render from S3 to S3, as in Batch, against the AWS stand-in over HTTP."""

import json
import multiprocessing

import boto3
import pytest

from render import storage
from tests.render import samples
from tests.render.program import call


@pytest.fixture
def bucket(aws: str) -> str:
    name = "render-test"
    boto3.client("s3", endpoint_url=aws).create_bucket(Bucket=name)
    return name


def test_a_render_reads_from_s3_and_writes_to_s3(tmp_path, aws, bucket):
    client = boto3.client("s3", endpoint_url=aws)
    scenes = samples.narrated(tmp_path, samples.TEXTS[:1], samples.visuals(tmp_path)[:1])
    scenes[0]["visual"]["asset"]["uri"] = f"s3://{bucket}/assets/photo.jpg"
    client.upload_file(str(tmp_path / "photo.jpg"), bucket, "assets/photo.jpg")
    client.upload_file(str(tmp_path / "voice0.wav"), bucket, "a/voice0.wav")
    client.upload_file(str(samples.timeline(tmp_path, scenes, 180, 320)), bucket, "a/timeline.json")
    done = call(
        f"s3://{bucket}/a/timeline.json",
        f"s3://{bucket}/a/render",
        AWS_ENDPOINT_URL=aws,
        TMPDIR=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr[-1500:]
    names = {item["Key"] for item in client.list_objects_v2(Bucket=bucket, Prefix="a/render/")["Contents"]}
    assert {name for name in names if "/segments/" not in name} == {
        f"a/render/{name}"
        for name in (
            "video.mp4",
            "thumbnail.jpg",
            "thumbnail.tall.jpg",
            "captions.srt",
            "captions.vtt",
            "report.json",
            "progress.json",
        )
    }
    progress = json.loads(client.get_object(Bucket=bucket, Key="a/render/progress.json")["Body"].read())
    assert progress == {"phase": "publish", "done": 1, "total": 1}
    assert client.head_object(Bucket=bucket, Key="a/render/video.mp4")["ContentType"] == "video/mp4"
    assert not [name for name in (entry.name for entry in tmp_path.iterdir()) if name.startswith("render-")]


def test_a_checkpoint_is_tagged_for_the_buckets_lifecycle(tmp_path, aws, bucket, monkeypatch):
    monkeypatch.setattr(storage, "_s3", lambda: boto3.client("s3", endpoint_url=aws))
    (tmp_path / "piece.mp4").write_bytes(b"x")
    for name in ("segments/main/a-0000.mp4", "video.mp4"):
        storage.Destination(f"s3://{bucket}/t").publish(tmp_path / "piece.mp4", name)

    tags = {
        name: boto3.client("s3", endpoint_url=aws).get_object_tagging(Bucket=bucket, Key=f"t/{name}")[
            "TagSet"
        ]
        for name in ("segments/main/a-0000.mp4", "video.mp4")
    }
    assert list(tags.values()) == [[{"Key": "lifetime", "Value": "week"}], []]


def test_a_forked_worker_has_its_own_s3_connections(aws, monkeypatch):
    """Workers store pieces while the parent writes progress: requests on a shared connection would mix."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    parents = storage._s3()
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=lambda: sender.send(storage._s3() is parents)
    )
    process.start()

    assert receiver.poll(30)
    assert receiver.recv() is False
    process.join()
    assert storage._s3() is parents
    storage._s3_client.cache_clear()


def test_a_missing_object_is_named_in_error_json(tmp_path, aws, bucket):
    client = boto3.client("s3", endpoint_url=aws)
    scenes = samples.narrated(tmp_path, samples.TEXTS[:1], samples.visuals(tmp_path)[:1])
    client.upload_file(str(samples.timeline(tmp_path, scenes, 180, 320)), bucket, "b/timeline.json")
    done = call(
        f"s3://{bucket}/b/timeline.json",
        f"s3://{bucket}/b/render",
        AWS_ENDPOINT_URL=aws,
        TMPDIR=str(tmp_path),
    )
    assert done.returncode == 3, done.stderr[-1500:]
    error = json.loads(client.get_object(Bucket=bucket, Key="b/render/error.json")["Body"].read())
    assert error["error"] == "AssetMissing"


def test_an_object_store_that_does_not_answer_is_the_hosts_fault(tmp_path):
    done = call(
        "s3://nowhere/timeline.json",
        str(tmp_path / "out"),
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_MAX_ATTEMPTS="1",
    )
    assert done.returncode == 4, done.stderr[-800:]
    assert json.loads((tmp_path / "out" / "error.json").read_text())["error"] == "StorageUnavailable"


def test_relative_names_start_at_the_timelines_folder():
    assert storage.join("s3://b/x", "photo.jpg") == "s3://b/x/photo.jpg"
    assert storage.join("/films", "/other/photo.jpg") == "/other/photo.jpg"
    assert storage.parent("s3://b/x/timeline.json") == "s3://b/x"


def test_files_are_published_atomically(tmp_path):
    destination = storage.Destination(str(tmp_path / "out"))
    source = tmp_path / "a.mp4"
    source.write_bytes(b"one")
    destination.publish(source, "video.mp4")
    source.unlink()
    source.write_bytes(b"two")
    destination.publish(source, "video.mp4")
    assert (tmp_path / "out" / "video.mp4").read_bytes() == b"two"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"video.mp4"}
