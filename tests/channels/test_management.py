"""The routes of /channels: settings, limits, voices, lists and removal."""

import json

import pytest

from showrunner.channels import schemas
from showrunner.database import db
from showrunner.store.accounts import cloned_voices
from tests.conftest import ROOT, add_organisation, add_user, in_threads, service_client

WHOLE = {
    "name": "Bees",
    "niche": "Insects",
    "youtube_channel_id": "UC" + "a" * 22,
    "settings": {
        "auto_publish": False,
        "privacy": "public",
        "videos_per_day": 3,
        "publish_times": ["08:00", "23:59"],
        "topics": ["Waggle dance"],
        "language": "de",
        "voice": "male1",
        "style": "news",
        "brand": {"palette": {"accent": "#ff8800"}, "font": "Inter", "caption_preset": "bold"},
        "category": 28,
    },
}


def fields(response):
    return [detail["field"] for detail in response.body["error"]["details"]]


def test_a_new_channel_has_defaults_and_lists_missing_settings(client):
    response = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"})

    assert response.status == 201
    channel = response.body["channel"]
    assert (channel["name"], channel["status"], channel["niche"]) == ("Bees", "active", "Insects")
    defaults = {
        "auto_publish": True,
        "privacy": "private",
        "videos_per_day": 1,
        "language": "en",
        "voice": "female1",
        "pace": "normal",
        "visual_style": "mixed",
        "made_for_kids": False,
        "category": 22,
    }
    assert channel["settings"].items() >= defaults.items()
    assert [task["done"] for task in response.body["setup_tasks"]] == [False, False, False, False]


def test_every_setting_is_returned_as_it_was_given(client):
    response = client("POST", "/api/v1/channels", WHOLE)

    assert response.body["channel"]["settings"].items() >= WHOLE["settings"].items()
    assert response.body["channel"]["youtube_channel_id"] == WHOLE["youtube_channel_id"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": None}, "name"),
        ({"niche": None}, "niche"),
        ({"niche": "  "}, "niche"),
        ({"niche": "x" * 101}, "niche"),
        ({"youtube_channel_id": "UCshort"}, "youtube_channel_id"),
        ({"settings": {"videos_per_day": 11}}, "settings.videos_per_day"),
        ({"settings": {"publish_times": ["24:00"]}}, "settings.publish_times.0"),
        ({"settings": {"language": "it"}}, "settings.language"),
        ({"settings": {"voice": "ai_clone"}}, "settings.voice"),
        ({"settings": {"brand": {"palette": {"text": "red"}}}}, "settings.brand.palette.text"),
        ({"settings": {"brand": {"logo": "00000000-0000-4000-8000-000000000000"}}}, "settings.brand.logo"),
        ({"settings": {"shape": "round"}}, "settings.shape"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_the_error_of_an_invalid_channel_names_the_field(client, change, field):
    response = client("POST", "/api/v1/channels", {**WHOLE, **change})

    assert (response.status, fields(response)) == (400, [field])


def test_the_eleventh_channel_is_refused(client):
    for number in range(10):
        assert (
            client("POST", "/api/v1/channels", {"name": f"Channel {number}", "niche": "Insects"}).status
            == 201
        )

    response = client("POST", "/api/v1/channels", {"name": "One more", "niche": "Insects"})

    assert (response.status, response.body["error"]["code"]) == (409, "CHANNEL_LIMIT_REACHED")


def test_each_user_may_have_ten_channels(client, tx, signing_key):
    for number in range(10):
        client("POST", "/api/v1/channels", {"name": f"Channel {number}", "niche": "Insects"})
    colleague = service_client(signing_key, client.organisation_id, creator=add_user(tx))

    response = colleague("POST", "/api/v1/channels", {"name": "Theirs", "niche": "Insects"})

    assert response.status == 201, "another member of the organisation has a limit of ten too"
    assert len(client("GET", "/api/v1/channels").body["channels"]) == 11
    path = f"/api/v1/channels/{client('GET', '/api/v1/channels?sort=name').body['channels'][0]['id']}"
    token = colleague("DELETE", path).body["error"]["details"][0]["message"]
    assert colleague("DELETE", f"{path}?confirmation_token={token}").status == 204
    assert client("POST", "/api/v1/channels", {"name": "Again", "niche": "Insects"}).status == 201, (
        "its creator may create another, whoever removes it"
    )


def test_services_of_one_creator_share_the_channel_limit(client, tx, signing_key):
    creator = add_user(tx)
    responses = [
        service_client(signing_key, client.organisation_id, name=f"service-{number}", creator=creator)(
            "POST", "/api/v1/channels", {"name": "One", "niche": "Insects"}
        )
        for number in range(11)
    ]

    assert [each.status for each in responses] == [201] * 10 + [409]


CLONE = "C1oneOfSomebody00001"


def clones(tx, organisation_id, *voice_ids):
    cloned_voices.save(tx, organisation_id, list(voice_ids))


def test_a_cloned_voice_is_available_to_its_organisation_only(client, tx, service):
    other = service(add_organisation(tx, "Others"))
    clones(tx, client.organisation_id, CLONE)
    body = {"name": "Mine", "niche": "Insects", "settings": {"voice": "ai_clone", "voice_clone_id": CLONE}}

    response = client("POST", "/api/v1/channels", body)

    assert response.status == 201
    assert fields(other("POST", "/api/v1/channels", body)) == ["settings.voice_clone_id"]
    theirs = other("POST", "/api/v1/channels", {"name": "Theirs", "niche": "Insects"}).body["channel"]["id"]
    assert fields(other("PUT", f"/api/v1/channels/{theirs}", {"settings": body["settings"]})) == [
        "settings.voice_clone_id"
    ]
    assert (
        other(
            "POST",
            "/api/v1/channels",
            {"name": "Rachel", "niche": "Insects", "settings": {"voice_clone_id": "LocalFemaleVoice0001"}},
        ).status
        == 201
    ), "everyone may use it"
    order = {"channel_id": response.body["channel"]["id"], "topic": "Bees"}
    assert client("POST", "/api/v1/videos/generate", order).status == 202
    clones(tx, client.organisation_id)
    assert fields(client("POST", "/api/v1/videos/generate", order)) == ["voice"], "the assignment was removed"


def test_concurrent_requests_cannot_exceed_the_channel_limit(postgres, signing_key):
    with db.transaction() as tx:
        organisation_id = add_organisation(tx, "Rush")
    client = service_client(signing_key, organisation_id)
    for number in range(9):
        client("POST", "/api/v1/channels", {"name": f"Channel {number}", "niche": "Insects"})

    responses = in_threads(
        4, lambda number: client("POST", "/api/v1/channels", {"name": f"Rush {number}", "niche": "Insects"})
    )

    assert sorted(each.status for each in responses) == [201, 409, 409, 409]


def test_a_youtube_channel_is_unique_within_an_organisation(client, tx, service):
    other = service(add_organisation(tx, "Others"))
    assert client("POST", "/api/v1/channels", WHOLE).status == 201

    response = client("POST", "/api/v1/channels", WHOLE)

    assert other("POST", "/api/v1/channels", WHOLE).status == 201, "nobody has proved who owns it"
    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")
    assert "YouTube channel" in response.body["error"]["message"]


def test_an_update_changes_only_the_given_fields(client):
    channel = client("POST", "/api/v1/channels", WHOLE).body["channel"]
    path = f"/api/v1/channels/{channel['id']}"

    response = client("PUT", path, {"status": "paused", "settings": {"videos_per_day": 5}})

    assert response.status == 200
    now = response.body["channel"]
    assert (now["status"], now["niche"], now["name"]) == ("paused", "Insects", "Bees")
    assert now["settings"] == {**channel["settings"], "videos_per_day": 5}
    assert fields(client("PUT", path, {"settings": {"voice": "ai_clone"}})) == ["settings.voice"]
    assert fields(client("PUT", path, {"niche": None})) == ["niche"]


def test_a_channel_needs_a_niche_and_one_without_stays_valid(client, tx):
    response = client("POST", "/api/v1/channels", {"name": "Bees"})
    assert (response.status, response.body["error"]["code"], fields(response)) == (
        400,
        "MISSING_FIELD",
        ["niche"],
    )
    channel_id = db.value(
        tx,
        "INSERT INTO studio.channels (organisation_id, name) VALUES (:id, 'Old') RETURNING id::text",
        id=client.organisation_id,
    )

    changed = client("PUT", f"/api/v1/channels/{channel_id}", {"name": "Still here"})

    assert (changed.status, changed.body["channel"]["niche"]) == (200, None)


def test_a_channel_has_its_statistics_and_newest_videos(client):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"][
        "id"
    ]
    for number in range(6):
        client("POST", "/api/v1/videos/generate", {"channel_id": channel_id, "topic": f"Topic {number}"})

    response = client("GET", f"/api/v1/channels/{channel_id}")

    assert response.body["statistics"] == {"videos": 6, "completed": 0, "failed": 0, "published": 0}
    assert len(response.body["recent_videos"]) == 5
    assert response.headers["cache-control"] == "private, max-age=30"


def test_a_list_is_filtered_and_paged(client):
    for number in range(3):
        client("POST", "/api/v1/channels", {"name": f"Channel {number}", "niche": "Insects"})
    first = client("GET", "/api/v1/channels?limit=2&sort=name")

    rest = client(
        "GET", f"/api/v1/channels?limit=2&sort=name&cursor={first.body['pagination']['next_cursor']}"
    )

    assert [each["name"] for each in first.body["channels"] + rest.body["channels"]] == [
        "Channel 0",
        "Channel 1",
        "Channel 2",
    ]
    assert client("GET", "/api/v1/channels?status=paused").body["channels"] == []
    assert first.headers["cache-control"] == "private, max-age=60"


def test_removing_a_channel_needs_confirmation(client):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"][
        "id"
    ]
    path = f"/api/v1/channels/{channel_id}"
    video_id = client("POST", "/api/v1/videos/generate", {"channel_id": channel_id, "topic": "Bees"}).body[
        "video_id"
    ]

    asked = client("DELETE", path)
    assert (asked.status, fields(asked)) == (409, ["confirmation_token"])
    token = asked.body["error"]["details"][0]["message"]
    assert client("DELETE", f"{path}?confirmation_token=wrong").status == 409

    assert client("DELETE", f"{path}?confirmation_token={token}").status == 204
    assert client("GET", path).status == 404
    assert client("GET", f"/api/v1/videos/{video_id}").status == 404
    assert client("DELETE", path).status == 404


def test_another_organisations_channel_is_not_found(client, tx, service):
    channel_id = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"][
        "id"
    ]
    other = service(add_organisation(tx, "Others"))
    path = f"/api/v1/channels/{channel_id}"

    assert {
        other("GET", path).status,
        other("PUT", path, {"name": "Mine"}).status,
        other("DELETE", path).status,
    } == {404}


def test_brand_options_match_the_renderers_assets():
    from render.text import fonts

    presets = json.loads((ROOT / "functions/render/text/presets/captions.json").read_text())
    assert set(schemas.CaptionPreset.__args__) == set(presets)
    for font in schemas.Font.__args__:
        assert fonts.family(font)
