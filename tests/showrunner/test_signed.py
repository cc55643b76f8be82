"""signed.link beside botocore's own links: the same to the last character of the signature."""

import time
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showrunner import signed

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
