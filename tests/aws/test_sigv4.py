"""signed.link and signed.objects beside botocore: the same to the last character of the signature; and what blobs makes of S3's answers."""

import hashlib
import http.server
import os
import re
import threading
import time
from urllib.parse import parse_qsl, quote, urlsplit

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug import Request, Response

from showrunner import blobs, signed
from showrunner.errors import ServiceUnavailable, StorageDenied, StorageMissing

REGION = "eu-west-1"
KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60).filter(lambda key: not key.startswith("/") and "//" not in key)


@pytest.fixture(params=[None, "http://127.0.0.1:4566"], ids=["AWS", "an endpoint"])
def endpoint(request, monkeypatch):
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/session+token=")
    if request.param:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.param)
    else:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    signed._identity.cache_clear()
    yield request.param
    monkeypatch.undo()
    signed._identity.cache_clear()


def theirs(endpoint, operation, parameters, seconds):
    style = {"addressing_style": "path" if endpoint else "virtual"}
    session = botocore.session.get_session()
    client = session.create_client("s3", region_name=REGION, endpoint_url=endpoint, config=Config(signature_version="s3v4", s3=style))
    return client.generate_presigned_url(operation, Params={"Bucket": "bucket", **parameters}, ExpiresIn=seconds)


def parts(url):
    split = urlsplit(url)
    return split.scheme, split.netloc, split.path, sorted(parse_qsl(split.query, keep_blank_values=True))


def same(url, *arguments):
    """Ours of the moment in which theirs was made."""
    stamp = dict(parse_qsl(urlsplit(url).query))["X-Amz-Date"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signed.time, "gmtime", lambda: time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        return parts(signed.link(*arguments)) == parts(url)


@given(key=KEYS, name=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40), seconds=st.integers(1, 604_800))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_link_to_fetch_is_botocores(endpoint, key, name, seconds):
    shown = f'attachment; filename="{name}"'
    url = theirs(endpoint, "get_object", {"Key": key, "ResponseContentDisposition": shown}, seconds)

    assert same(url, "get_object", "bucket", key, seconds, None, {"response-content-disposition": shown})


@given(key=KEYS, size=st.integers(1, 10**9))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_link_to_upload_is_botocores_and_bound_to_type_and_size(endpoint, key, size):
    url = theirs(endpoint, "put_object", {"Key": key, "ContentType": "image/png", "ContentLength": size}, 3600)

    assert same(url, "put_object", "bucket", key, 3600, {"content-type": "image/png", "content-length": str(size)})
    assert not same(url, "put_object", "bucket", key, 3600, {"content-type": "image/png", "content-length": str(size + 1)})


# Objects


@pytest.fixture
def s3(httpserver, monkeypatch):
    """A server in S3's place, which answers as told and remembers what it was asked."""
    asked, answers = [], []

    def answer(request: Request) -> Response:
        asked.append((request.method, request.full_path, dict(request.headers), request.get_data()))
        return answers.pop(0) if answers else Response("found")

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/session+token=")
    signed._identity.cache_clear()
    yield asked, answers
    monkeypatch.undo()
    signed._identity.cache_clear()


CALLS = [
    ("get_object", "videos/a b/ü+1.json", {}, b"", ""),
    ("put_object", "videos/x.json", {}, b'{"a":1}', "application/json"),
    ("put_object", "videos/empty", {}, b"", "application/octet-stream"),
    ("head_object", "videos/x.json", {}, b"", ""),
    ("delete_object", "videos/x.json", {}, b"", ""),
    ("list_objects_v2", "", {"list-type": "2", "prefix": "videos/a b&c=/", "continuation-token": "1/+="}, b"", ""),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_a_request_is_signed_as_botocore_signs_it(s3, httpserver, call):
    operation, key, query, body, content_type = call
    signed.objects(operation, "bucket", key, query, body, content_type)

    method, _, headers, sent = s3[0][0]
    given = {name.lower(): value for name, value in headers.items()}
    names = re.search("SignedHeaders=([^,]+)", given["authorization"])[1].split(";")
    words = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    url = httpserver.url_for(f"/bucket/{quote(key, safe='/-_.~')}".rstrip("/")) + (f"?{words}" if words else "")
    request = AWSRequest(method, url, {name: given[name] for name in names if name != "host"}, sent)
    request.context |= {"timestamp": given["x-amz-date"], "payload_signing_enabled": True}
    theirs = S3SigV4Auth(Credentials("test", "test", "a/session+token="), "s3", os.environ["AWS_REGION"])

    expected = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)

    assert sent == body
    assert given["authorization"].endswith(f"Signature={expected}")
    assert given["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()


def test_s3_is_asked_again_and_then_told_to_be_away(s3):
    asked, answers = s3
    answers += [Response(status=503), Response(status=500)]
    assert blobs.get_bytes("key") == b"found"
    assert len(asked) == 3

    answers += [Response(status=503)] * 3
    with pytest.raises(ServiceUnavailable):
        blobs.get_bytes("key")


@pytest.mark.parametrize(("status", "error"), [(404, StorageMissing), (403, StorageDenied), (301, signed.Refused), (400, signed.Refused)])
def test_what_s3_refuses_is_told_by_what_to_do(s3, status, error):
    for ask in (blobs.get_bytes, blobs.list_keys, lambda key: blobs.put_bytes(key, b"x"), lambda key: blobs.remove([key])):
        s3[1].append(Response(status=status))
        with pytest.raises(error):
            ask("key")


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Keeps a connection open in words only, as a server does whose idle time is over."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"found")
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_connection_that_s3_closed_meanwhile_is_replaced(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")

        assert [blobs.get_bytes("key") for _ in range(3)] == [b"found"] * 3
        server.shutdown()


def test_a_list_goes_on_over_its_pages_and_reads_every_key(s3):
    page = "<ListBucketResult><Contents><Key>{}</Key></Contents>{}</ListBucketResult>"
    s3[1].extend(Response(text) for text in (page.format("a&amp;b &lt;c&gt;", "<NextContinuationToken>t&amp;1</NextContinuationToken>"), page.format("z", "")))

    assert blobs.list_keys("p/") == ["a&b <c>", "z"]
    assert "continuation-token=t%261" in s3[0][1][1] or "continuation-token=t&1" in s3[0][1][1]


def test_objects_of_odd_names_are_kept_found_and_removed(aws):
    keys = [f"odd/{name}" for name in ("a b", "a+b", "ü&<>'\"", "percent%20", "tilde~", "(1)", "=?#")]
    for key in keys:
        blobs.put_bytes(key, key.encode(), "text/plain")

    assert sorted(blobs.list_keys("odd/")) == sorted(keys)
    assert [blobs.get_bytes(key).decode() for key in keys] == keys
    assert [blobs.size(key) for key in keys] == [len(key.encode()) for key in keys]
    blobs.remove([*keys, "odd/never there"])
    assert (blobs.list_keys("odd/"), blobs.size(keys[0]), blobs.find_json(keys[0])) == ([], None, None)
