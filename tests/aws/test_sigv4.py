"""Signed links are the same as botocore's, to the last character of the signature."""

import hashlib
import os
import re
import time
from functools import cache
from urllib.parse import parse_qsl, quote, urlsplit

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showrunner.aws import objects, sigv4

REGION = "eu-west-1"
SESSION_TOKEN = "a/session+token="


KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60).filter(
    lambda key: not key.startswith("/") and "//" not in key
)


@pytest.fixture(params=[None, "http://127.0.0.1:4566"], ids=["AWS", "an endpoint"])
def endpoint(request, monkeypatch):
    """Sign for AWS or for an endpoint on loopback. The value is the endpoint's URL, None for AWS."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION_TOKEN)
    if request.param:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.param)
    else:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    sigv4.credentials.cache_clear()
    yield request.param
    monkeypatch.undo()
    sigv4.credentials.cache_clear()


@cache
def botocore_client(endpoint):
    """Create botocore's S3 client. Building one takes 100 ms, signing a link 1 ms: all examples share it."""
    style = {"addressing_style": "path" if endpoint else "virtual"}
    return botocore.session.get_session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint,
        config=Config(signature_version="s3v4", s3=style),
        aws_access_key_id="test",
        aws_secret_access_key="test",
        aws_session_token=SESSION_TOKEN,
    )


def botocore_link(endpoint, operation, parameters, seconds):
    return botocore_client(endpoint).generate_presigned_url(
        operation, Params={"Bucket": "bucket", **parameters}, ExpiresIn=seconds
    )


def parts(url):
    split = urlsplit(url)
    return split.scheme, split.netloc, split.path, sorted(parse_qsl(split.query, keep_blank_values=True))


def is_equal(url, *arguments):
    """Return whether our link, signed at the time that is in botocore's `url`, is the same."""
    stamp = dict(parse_qsl(urlsplit(url).query))["X-Amz-Date"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sigv4.time, "gmtime", lambda: time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        return parts(sigv4.presign(*arguments)) == parts(url)


@given(
    key=KEYS,
    name=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    seconds=st.integers(1, 604_800),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_download_link_equals_botocores(endpoint, key, name, seconds):
    shown = f'attachment; filename="{name}"'
    url = botocore_link(endpoint, "get_object", {"Key": key, "ResponseContentDisposition": shown}, seconds)

    assert is_equal(url, "get_object", "bucket", key, seconds, None, {"response-content-disposition": shown})


@given(key=KEYS, size=st.integers(1, 10**9))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_an_upload_link_equals_botocores_and_is_bound_to_type_and_size(endpoint, key, size):
    url = botocore_link(
        endpoint, "put_object", {"Key": key, "ContentType": "image/png", "ContentLength": size}, 3600
    )

    assert is_equal(
        url, "put_object", "bucket", key, 3600, {"content-type": "image/png", "content-length": str(size)}
    )
    assert not is_equal(
        url, "put_object", "bucket", key, 3600, {"content-type": "image/png", "content-length": str(size + 1)}
    )


CALLS = [
    ("get_object", "videos/a b/ü+1.json", {}, b"", ""),
    ("put_object", "videos/x.json", {}, b'{"a":1}', "application/json"),
    ("put_object", "videos/empty", {}, b"", "application/octet-stream"),
    ("head_object", "videos/x.json", {}, b"", ""),
    ("delete_object", "videos/x.json", {}, b"", ""),
    (
        "list_objects_v2",
        "",
        {"list-type": "2", "prefix": "videos/a b&c=/", "continuation-token": "1/+="},
        b"",
        "",
    ),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_a_request_has_the_signature_of_botocore(server, httpserver, call):
    operation, key, query, body, content_type = call
    objects.request(operation, "bucket", key, query, body, content_type)

    method, _, headers, sent = server[0][0]
    given = {name.lower(): value for name, value in headers.items()}
    names = re.search("SignedHeaders=([^,]+)", given["authorization"])[1].split(";")
    words = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items()
    )
    url = httpserver.url_for(f"/bucket/{quote(key, safe='/-_.~')}".rstrip("/")) + (
        f"?{words}" if words else ""
    )
    request = AWSRequest(method, url, {name: given[name] for name in names if name != "host"}, sent)
    request.context |= {"timestamp": given["x-amz-date"], "payload_signing_enabled": True}
    theirs = S3SigV4Auth(Credentials("test", "test", "a/session+token="), "s3", os.environ["AWS_REGION"])

    expected = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)

    assert sent == body
    assert given["authorization"].endswith(f"Signature={expected}")
    assert given["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
