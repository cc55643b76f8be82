"""Objects in S3: retries, errors, lists and odd names."""

import hashlib
import http.server
import threading

import pytest
from werkzeug import Response

from showrunner.aws import rpc, s3, sdk
from showrunner.errors import ServiceUnavailable, StorageDenied, StorageMissing


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Announce keep-alive but close after each answer, like a server whose idle time is over."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"found")
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_failing_s3_is_retried_and_then_unavailable(server):
    asked, answers = server
    answers += [Response(status=503), Response(status=500)]
    assert s3.get_bytes("key") == b"found"
    assert len(asked) == 3

    answers += [Response(status=503)] * 3
    with pytest.raises(ServiceUnavailable):
        s3.get_bytes("key")


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, StorageMissing), (403, StorageDenied), (301, rpc.AwsError), (400, rpc.AwsError)],
)
def test_a_refusal_of_s3_raises_the_error_that_says_what_to_do(server, status, error):
    for ask in (
        s3.get_bytes,
        s3.list_keys,
        lambda key: s3.put_bytes(key, b"x"),
        lambda key: s3.remove([key]),
    ):
        server[1].append(Response(status=status))
        with pytest.raises(error):
            ask("key")


def test_a_connection_that_s3_closed_is_replaced(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")

        assert [s3.get_bytes("key") for _ in range(3)] == [b"found"] * 3
        server.shutdown()


def test_a_list_reads_every_page_and_every_key(server):
    page = (
        "<ListBucketResult><IsTruncated>{}</IsTruncated><Contents><Key>{}</Key></Contents></ListBucketResult>"
    )
    pages = (page.format("true", "a&amp;b &lt;c&gt;"), page.format("false", "z"))
    server[1].extend(Response(text) for text in pages)

    assert s3.list_keys("p/") == ["a&b <c>", "z"]
    assert "start-after=a%26b%20%3Cc%3E" in server[0][1][1]


def test_objects_with_unusual_names_are_stored_listed_and_removed(aws):
    keys = [f"odd/{name}" for name in ("a b", "a+b", "ü&<>'\"", "percent%20", "tilde~", "(1)", "=?#")]
    for key in keys:
        s3.put_bytes(key, key.encode(), "text/plain")

    assert sorted(s3.list_keys("odd/")) == sorted(keys)
    assert [s3.get_bytes(key).decode() for key in keys] == keys
    assert [s3.size(key) for key in keys] == [len(key.encode()) for key in keys]
    s3.remove([*keys, "odd/never there"])
    assert (s3.list_keys("odd/"), s3.size(keys[0]), s3.find_json(keys[0])) == ([], None, None)


def test_a_product_has_the_tag_by_which_the_bucket_deletes_it(aws):
    sha256 = s3.put_product("p/recording.mp3", b"sound", "audio/mpeg")
    s3.put_product_json("p/recording.json", {"sha256": sha256})
    s3.put_bytes("p/job.json", b"{}")

    tags = {
        key: sdk.client("s3").get_object_tagging(Bucket=s3._bucket(), Key=key)["TagSet"]
        for key in s3.list_keys("p/")
    }

    product = [dict(zip(("Key", "Value"), s3.PRODUCT.split("="), strict=True))]
    assert tags == {"p/recording.mp3": product, "p/recording.json": product, "p/job.json": []}
    assert s3.get_json("p/recording.json") == {"sha256": hashlib.sha256(b"sound").hexdigest()}
