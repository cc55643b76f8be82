"""The lists of what a content owner has: videos, assets, claims and conflicts, as its newest reports say.

A report may have several rows of a video, one for each claim. Lists have the video once, by its first row;
what its rows differ in is collected for the rows of a page only.
"""

from typing import Any

from showrunner.database import db, pages, title_search
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import NotFound
from showrunner.store.rights import change_sets

# So many claims, changes and syncs of a video are shown; more would be megabytes.
MOST_SHOWN = 200
# Counting to 10,000 took most of a filtered list's time: 330 ms instead of 70, where a fiftieth of a million
# videos passed the filter, on a busy machine.
TOTAL_CAP = 1_000
# Columns of a report's row that are ours.
_OURS = "'{organisation_id,owner_id,digest,claim_ids,asset_ids}'::text[]"


def _owner(alias: str) -> str:
    return f"(SELECT w.name FROM rights.content_owners w WHERE w.id = {alias}.owner_id)"


def _is_first(table: str, alias: str, key: str, rest: str = "") -> str:
    """Return the condition of rows that are the first one of their key in their organisation."""
    columns = f"owner_id{rest}"
    ours = ", ".join(f"{alias}.{name}" for name in columns.split(", "))
    others = ", ".join(f"f.{name}" for name in columns.split(", "))
    return f"""NOT EXISTS (
        SELECT FROM rights.{table} f WHERE f.organisation_id = {alias}.organisation_id
           AND f.{key} = {alias}.{key} AND ({others}) < ({ours}))"""


def _with_claims(condition: str) -> str:
    """Return the query of the videos with a claim for which `condition` (of c) holds."""
    return (
        f"SELECT c.video_id FROM rights.claims c WHERE c.organisation_id = :organisation_id AND {condition}"
    )


def _with_rows(condition: str) -> str:
    """Return the query of the videos with a row for which `condition` (of r) holds."""
    return (
        f"SELECT r.video_id FROM rights.videos r WHERE r.organisation_id = :organisation_id AND {condition}"
    )


def _found_first(column: str, query: str) -> str:
    """Return the condition that a column is among what the query finds, which is found first, as an array.

    For a value of an array that no sample has, the planner expects one row of 200, and would walk through all
    rows. An artist, an asset, a label of assets or all conflicts have some thousands.
    """
    return f"{column} = ANY(ARRAY({query}))"


_IN_CONFLICT = _with_rows(
    """r.asset_ids::varchar(200)[] && ARRAY(
        SELECT x.asset_id::varchar(200) FROM rights.conflicts x WHERE x.organisation_id = :organisation_id)"""
)


def _collected(ids: str) -> str:
    return f"""(SELECT coalesce(json_agg(DISTINCT id), '[]') FROM rights.videos r, unnest(r.{ids}) id
                 WHERE r.organisation_id = v.organisation_id AND r.video_id = v.video_id)"""


_VIDEO = f"""
    json_build_object('video_id', v.video_id, 'content_owner', {_owner("v")}, 'title', v.video_title,
                      'channel_id', v.channel_id, 'channel', v.channel_display_name, 'category', v.category,
                      'privacy', lower(v.video_privacy_status), 'claimed', v.claimed_by_this_owner,
                      'claimed_by_others', v.claimed_by_another_owner, 'policy', v.effective_policy,
                      'isrc', v.isrc, 'custom_id', v.custom_id, 'claim_ids', {_collected("claim_ids")},
                      'asset_ids', {_collected("asset_ids")}, 'views', v.views,
                      'length_seconds', v.video_length, 'published_at', v.time_published,
                      'uploaded_at', v.time_uploaded, 'first_day', v.first_day, 'changed_day', v.changed_day)
"""
VIDEOS = List(
    "videos",
    "rights.videos v",
    "v.organisation_id = :organisation_id",
    _VIDEO,
    {
        "published_at": Column("coalesce(v.time_published, '-infinity')", "timestamptz"),
        "uploaded_at": Column("coalesce(v.time_uploaded, '-infinity')", "timestamptz"),
        "title": Column("left(coalesce(v.video_title, ''), 200)", "text"),
        "views": Column("coalesce(v.views, -1)", "bigint"),
        "video_id": Column("v.video_id", "text"),
    },
    "-published_at",
    {
        "category": "left(v.category, 200) = :category",
        "channel_id": "v.channel_id = :channel_id",
        "privacy": "left(v.video_privacy_status, 200) = ANY(ARRAY[:privacy, initcap(:privacy)])",
        "claimed": "CASE WHEN v.claimed_by_this_owner THEN 'yes' ELSE 'no' END"
        " = CASE WHEN :claimed::boolean THEN 'yes' ELSE 'no' END",
        "policy": f"v.video_id IN ({_with_rows('left(r.effective_policy, 200) = :policy')})",
        "custom_id": f"v.video_id IN ({_with_rows('left(r.custom_id, 200) = :custom_id')})",
        "asset_id": _found_first(
            "v.video_id", _with_rows("r.asset_ids::varchar(200)[] @> ARRAY[:asset_id::varchar(200)]")
        ),
        "claim_status": f"v.video_id IN ({_with_claims('left(c.claim_status, 200) = upper(:claim_status)')})",
        "artist": _found_first(
            "v.video_id", _with_claims("c.artist::varchar(200)[] @> ARRAY[:artist::varchar(200)]")
        ),
        "label": f"v.video_id IN ({_with_claims('left(c.record_label, 200) = :label')})",
        "upc": f"v.video_id IN ({_with_claims('left(c.upc, 200) = :upc')})",
        "isrc": """v.video_id IN (
            SELECT c.video_id FROM rights.claims c
             WHERE c.organisation_id = :organisation_id AND left(c.isrc, 200) = :isrc
            UNION SELECT r.video_id FROM rights.videos r
             WHERE r.organisation_id = :organisation_id AND left(r.isrc, 200) = :isrc)""",
        # Two filters: a condition inside CASE has no plan of its own.
        "in_conflict": f":in_conflict::boolean AND {_found_first('v.video_id', _IN_CONFLICT)}",
        "not_in_conflict": f":not_in_conflict::boolean AND v.video_id NOT IN ({_IN_CONFLICT})",
        "views_from": "coalesce(v.views, -1) >= :views_from::bigint",
        "views_to": "coalesce(v.views, -1) <= :views_to::bigint",
        "published_from": "coalesce(v.time_published, '-infinity') >= :published_from::timestamptz",
        "published_to": "coalesce(v.time_published, '-infinity') < :published_to::timestamptz",
    },
    key="video_id",
    title="v.video_title",
    once=_is_first("videos", "v", "video_id", ", claim_id, asset_id"),
    total_cap=TOTAL_CAP,
)


def _with_assets(condition: str) -> str:
    """Return the query of the assets with a row for which `condition` (of f) holds."""
    return (
        f"SELECT f.asset_id FROM rights.assets f WHERE f.organisation_id = :organisation_id AND {condition}"
    )


ASSETS = List(
    "assets",
    "rights.assets a",
    "a.organisation_id = :organisation_id",
    f"""
    json_build_object('asset_id', a.asset_id, 'content_owner', {_owner("a")}, 'title', a.asset_title,
                      'type', a.asset_type, 'custom_id', a.custom_id, 'artist', a.artist, 'album', a.album,
                      'label', a.label, 'isrc', coalesce(a.isrc, a.your_isrc, a.display_isrc), 'upc', a.upc,
                      'labels', a.asset_labels, 'match_policy', a.match_policy, 'ownership', a.ownership,
                      'conflicting_owners', a.conflicting_owner,
                      'conflicting_countries', a.conflicting_country_code,
                      'active_claims', a.active_claims, 'daily_views', a.approx_daily_views,
                      'first_day', a.first_day, 'changed_day', a.changed_day)
    """,
    {
        "views": Column("coalesce(a.approx_daily_views, -1)", "bigint"),
        "title": Column("left(coalesce(a.asset_title, ''), 200)", "text"),
        "asset_id": Column("a.asset_id", "text"),
    },
    "-views",
    {
        "type": "left(a.asset_type, 200) = :type",
        "custom_id": "left(a.custom_id, 200) = :custom_id",
        "artist": _found_first(
            "a.asset_id", _with_assets("f.artist::varchar(200)[] @> ARRAY[:artist::varchar(200)]")
        ),
        "label": "left(a.label, 200) = :label",
        "asset_label": _found_first(
            "a.asset_id", _with_assets("f.asset_labels::varchar(200)[] @> ARRAY[:asset_label::varchar(200)]")
        ),
        "isrc": "(left(a.isrc, 200) = :isrc OR left(a.your_isrc, 200) = :isrc"
        " OR left(a.display_isrc, 200) = :isrc)",
        "upc": "left(a.upc, 200) = :upc",
        "policy": "left(a.match_policy, 200) = :policy",
        "conflict": "CASE WHEN :conflict::boolean THEN a.conflicting_owner IS NOT NULL"
        " ELSE a.conflicting_owner IS NULL END",
        "views_from": "coalesce(a.approx_daily_views, -1) >= :views_from::bigint",
        "views_to": "coalesce(a.approx_daily_views, -1) <= :views_to::bigint",
    },
    key="asset_id",
    title="a.asset_title",
    once=_is_first("assets", "a", "asset_id"),
    total_cap=TOTAL_CAP,
)

_CLAIM = f"""
    json_build_object('claim_id', c.claim_id, 'content_owner', {_owner("c")}, 'video_id', c.video_id,
                      'asset_id', c.asset_id, 'channel_id', c.channel_id, 'channel', c.channel_display_name,
                      'title', c.video_title, 'asset_title', c.asset_title, 'status', lower(c.claim_status),
                      'status_detail', c.claim_status_detail, 'type', c.claim_type, 'origin', c.claim_origin,
                      'content_type', c.content_type, 'reference_id', c.reference_id,
                      'policy', json_build_object('monetize', c.claim_policy_monetize,
                                                  'track', c.claim_policy_track,
                                                  'block', c.claim_policy_block),
                      'custom_id', c.custom_id, 'artist', c.artist, 'album', c.album,
                      'label', c.record_label, 'isrc', c.isrc, 'upc', c.upc, 'views', c.views,
                      'created_on', c.claim_created_date, 'first_day', c.first_day,
                      'changed_day', c.changed_day)
"""
CLAIMS = List(
    "claims",
    "rights.claims c",
    "c.organisation_id = :organisation_id",
    _CLAIM,
    {
        "created_on": Column("coalesce(c.claim_created_date, '-infinity')", "date"),
        "views": Column("coalesce(c.views, -1)", "bigint"),
        "claim_id": Column("c.claim_id", "text"),
    },
    "-created_on",
    {
        "video_id": "c.video_id = :video_id",
        "asset_id": "left(c.asset_id, 200) = :asset_id",
        "channel_id": "c.channel_id = :channel_id",
        "status": "left(c.claim_status, 200) = upper(:status)",
        "type": "left(c.claim_type, 200) = :type",
        "origin": "left(c.claim_origin, 200) = :origin",
        "custom_id": "left(c.custom_id, 200) = :custom_id",
        "artist": " AND ".join(
            (
                _found_first(
                    "c.owner_id",
                    "SELECT w.id FROM rights.content_owners w WHERE w.organisation_id = :organisation_id",
                ),
                _found_first(
                    "c.claim_id",
                    "SELECT f.claim_id FROM rights.claims f WHERE f.organisation_id = :organisation_id"
                    " AND f.artist::varchar(200)[] @> ARRAY[:artist::varchar(200)]",
                ),
            )
        ),
        "label": "left(c.record_label, 200) = :label",
        "isrc": "left(c.isrc, 200) = :isrc",
        "upc": "left(c.upc, 200) = :upc",
        "policy": "CASE :policy WHEN 'monetize' THEN c.claim_policy_monetize WHEN 'track'"
        " THEN c.claim_policy_track ELSE c.claim_policy_block END <> ''",
        "views_from": "coalesce(c.views, -1) >= :views_from::bigint",
        "views_to": "coalesce(c.views, -1) <= :views_to::bigint",
        "created_from": "coalesce(c.claim_created_date, '-infinity') >= :created_from::timestamptz::date",
        "created_to": "coalesce(c.claim_created_date, '-infinity') < :created_to::timestamptz::date",
    },
    key="claim_id",
    title="c.video_title",
    total_cap=TOTAL_CAP,
)

# Since when: YouTube's own date, else the first day on which a report had it. In days, on YouTube's clock.
_SINCE = "coalesce(x.ownership_last_updated, x.first_day)"
_AGE = f"greatest((now() AT TIME ZONE 'America/Los_Angeles')::date - {_SINCE}, 0)"
CONFLICTS = List(
    "conflicts",
    "rights.conflicts x",
    "x.organisation_id = :organisation_id",
    f"""
    json_build_object('asset_id', x.asset_id, 'content_owner', {_owner("x")}, 'title', x.asset_title,
                      'type', x.asset_type, 'custom_id', x.custom_id, 'artist', x.artist, 'isrc', x.isrc,
                      'conflicting_owner', x.conflicting_owner,
                      'countries', x.conflicting_country_code, 'ownership', x.ownership,
                      'other_ownership', x.other_ownership, 'since', {_SINCE}, 'age_days', {_AGE},
                      'daily_views', x.approx_daily_views,
                      'views_in_conflict', x.engaged_views_in_conflict,
                      'lifetime_views_in_conflict', x.lifetime_views_in_conflict,
                      'value_usd', round(x.value_usd, 2)::text,
                      'value_months', ARRAY(SELECT to_char(each, 'YYYY-MM') FROM unnest(x.value_months) each))
    """,
    {
        "since": Column(_SINCE, "date"),
        "daily_views": Column("coalesce(x.approx_daily_views, -1)", "bigint"),
        "lifetime_views_in_conflict": Column("coalesce(x.lifetime_views_in_conflict, -1)", "bigint"),
        "value_usd": Column("coalesce(x.value_usd, -1)", "numeric"),
        "id": Column("x.owner_id::text || '|' || x.asset_id || '|' || x.conflicting_owner", "text"),
    },
    "-lifetime_views_in_conflict",
    {
        "asset_id": "x.asset_id = :asset_id",
        "conflicting_owner": "x.conflicting_owner = :conflicting_owner",
        "type": "x.asset_type = :type",
        "min_age_days": f"{_AGE} >= :min_age_days::integer",
        "min_value_usd": "coalesce(x.value_usd, -1) >= :min_value_usd::numeric",
    },
    title="x.asset_title",
)


def select(
    tx: db.Transaction, definition: List, organisation_id: str, filters: dict[str, Any], page: PageRequest
) -> PageResult:
    """Return a page of one of the lists. `filters`: those of the list, and `title`, a part of it.

    Needs a transaction. Raises InvalidRequest.
    """
    # A plan for any value would walk through millions of rows for a rare one.
    db.value(tx, "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
    parameters = {"organisation_id": organisation_id, **filters}
    title = parameters.pop("title", None)
    if definition is VIDEOS and (conflict := parameters.pop("conflict", None)) is not None:
        parameters["in_conflict" if conflict else "not_in_conflict"] = True
    if title is not None:
        return title_search.select(tx, definition, page, parameters, title)
    return pages.select(tx, definition, page, parameters)


def get_video(tx: db.Transaction, organisation_id: str, video_id: str) -> str:
    """Return a video as JSON text: as lists have it, all columns of its report, claims, history and syncs.

    Raises NotFound.
    """
    text = db.value(
        tx,
        f"""
        SELECT json_build_object(
            'video', {_VIDEO},
            'report', jsonb_strip_nulls(to_jsonb(v) - {_OURS}),
            'claims', (SELECT coalesce(json_agg(item), '[]') FROM (
                SELECT {_CLAIM} AS item FROM rights.claims c
                 WHERE c.organisation_id = :organisation_id AND c.video_id = v.video_id
                 ORDER BY c.claim_created_date DESC NULLS LAST, c.claim_id LIMIT {MOST_SHOWN}) claims),
            'history', (SELECT coalesce(json_agg(item), '[]') FROM (
                SELECT json_build_object('day', h.day, 'of', h.kind, 'key', h.key, 'change', h.change,
                                         'columns', CASE WHEN h.change = 'changed' THEN h.columns
                                                         ELSE '{{}}' END) AS item
                  FROM ({_HISTORY}) h
                 ORDER BY h.day DESC, h.kind, h.key LIMIT {MOST_SHOWN}) history),
            'syncs', (SELECT coalesce(json_agg(item), '[]') FROM (
                SELECT {change_sets.ROW} AS item FROM rights.changes c
                 WHERE c.organisation_id = :organisation_id AND c.video_id = v.video_id
                   AND c.queued_at IS NOT NULL
                 ORDER BY c.queued_at DESC, c.id DESC LIMIT {MOST_SHOWN}) syncs))::text
          FROM {VIDEOS.source} WHERE {VIDEOS.always} AND {VIDEOS.once} AND v.video_id = :video_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
    if text is None:
        raise NotFound("There is no such video in the reports.")
    return str(text)


def find_videos(tx: db.Transaction, organisation_id: str, video_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the videos in the reports by id.

    Columns: owner_id, channel_id, title, privacy_status and embedding_allowed.
    """
    found = db.rows(
        tx,
        """
        SELECT DISTINCT ON (video_id) video_id, owner_id, channel_id, video_title AS title,
               lower(video_privacy_status) AS privacy_status,
               lower(embedding_allowed) IN ('yes', 'true', 'allowed') AS embedding_allowed
          FROM rights.videos
         WHERE organisation_id = :organisation_id AND video_id = ANY(:video_ids::text[])
         ORDER BY video_id, owner_id, claim_id, asset_id
        """,
        organisation_id=organisation_id,
        video_ids=video_ids,
    )
    return {row["video_id"]: row for row in found}


def find_assets(tx: db.Transaction, organisation_id: str, asset_ids: list[str]) -> list[dict[str, Any]]:
    """Return the assets in the reports: asset_id, owner_id, match_policy and metadata.

    Metadata: title, artist (a list), album, label, isrc, upc and custom_id.
    """
    return db.rows(
        tx,
        """
        SELECT asset_id, owner_id, asset_title AS title, match_policy, artist, album, label, isrc, upc,
               custom_id
          FROM rights.assets
         WHERE organisation_id = :organisation_id AND asset_id = ANY(:asset_ids::text[])
         ORDER BY asset_id, owner_id
        """,
        organisation_id=organisation_id,
        asset_ids=asset_ids,
    )


def find_channel(tx: db.Transaction, organisation_id: str, channel_id: str) -> str | None:
    """Return a channel with the numbers of its videos and of the claims on them, as JSON text; None without.

    A video with several rows counts once.
    """
    found = db.value(
        tx,
        """
        WITH shown AS (
            SELECT DISTINCT ON (video_id) video_id, channel_display_name,
                   lower(video_privacy_status) AS privacy, claimed_by_this_owner AS claimed,
                   claimed_by_another_owner AS claimed_by_others, views
              FROM rights.videos WHERE organisation_id = :organisation_id AND channel_id = :channel_id
             ORDER BY video_id, owner_id, claim_id, asset_id),
        claimed AS (
            SELECT lower(claim_status) AS status, claim_policy_monetize, claim_policy_track,
                   claim_policy_block, channel_display_name
              FROM rights.claims WHERE organisation_id = :organisation_id AND channel_id = :channel_id)
        SELECT json_build_object(
            'channel_id', :channel_id::text,
            'name', coalesce((SELECT max(channel_display_name) FROM shown),
                             (SELECT max(channel_display_name) FROM claimed)),
            'videos', (SELECT json_build_object(
                'total', count(*), 'public', count(*) FILTER (WHERE privacy = 'public'),
                'unlisted', count(*) FILTER (WHERE privacy = 'unlisted'),
                'private', count(*) FILTER (WHERE privacy = 'private'),
                'claimed', count(*) FILTER (WHERE claimed),
                'claimed_by_others', count(*) FILTER (WHERE claimed_by_others),
                'views', coalesce(sum(views), 0)) FROM shown),
            'claims', (SELECT json_build_object(
                'total', count(*), 'active', count(*) FILTER (WHERE status = 'active'),
                'pending', count(*) FILTER (WHERE status = 'pending'),
                'inactive', count(*) FILTER (WHERE status = 'inactive'),
                'monetize', count(*) FILTER (WHERE claim_policy_monetize <> ''),
                'track', count(*) FILTER (WHERE claim_policy_track <> ''),
                'block', count(*) FILTER (WHERE claim_policy_block <> '')) FROM claimed))::text
         WHERE EXISTS (SELECT FROM shown) OR EXISTS (SELECT FROM claimed)
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
    )
    return None if found is None else str(found)


_CLAIM_ROW = """
    SELECT claim_id, owner_id, video_id, asset_id,
           CASE lower(claim_type) WHEN 'visual' THEN 'video' ELSE lower(claim_type) END AS content_type,
           lower(claim_status) AS status, claim_policy_id AS policy_id FROM rights.claims
"""


def find_claims(tx: db.Transaction, organisation_id: str, claim_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return claim_id, owner_id, video_id, asset_id, content_type, status and policy_id of claims, by id."""
    found = db.rows(
        tx,
        f"{_CLAIM_ROW} WHERE organisation_id = :organisation_id AND claim_id = ANY(:claim_ids::text[])"
        " ORDER BY owner_id DESC",
        organisation_id=organisation_id,
        claim_ids=claim_ids,
    )
    return {row["claim_id"]: row for row in found}


def list_claims_on(tx: db.Transaction, organisation_id: str, video_ids: list[str]) -> list[dict[str, Any]]:
    """Return the claims on videos that had not ended in the newest reports, as find_claims has them."""
    return db.rows(
        tx,
        f"{_CLAIM_ROW} WHERE organisation_id = :organisation_id AND video_id = ANY(:video_ids::text[])"
        " AND upper(claim_status) <> 'INACTIVE' ORDER BY claim_id",
        organisation_id=organisation_id,
        video_ids=video_ids,
    )


# Of the video, of its claims, and of claims that it had.
_HISTORY = """
    SELECT * FROM rights.history
     WHERE organisation_id = :organisation_id AND kind = 'videos' AND split_part(key, '|', 1) = :video_id
    UNION ALL
    SELECT * FROM rights.history
     WHERE organisation_id = :organisation_id AND kind = 'claims' AND change = 'changed'
       AND split_part(key, '|', 1) = ANY(ARRAY(
           SELECT claim_id FROM rights.claims
            WHERE organisation_id = :organisation_id AND video_id = :video_id))
    UNION ALL
    SELECT * FROM rights.history
     WHERE organisation_id = :organisation_id AND kind = 'claims' AND change = 'removed'
       AND columns ->> 'video_id' = :video_id
"""
