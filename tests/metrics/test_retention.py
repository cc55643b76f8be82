"""Delete figures that YouTube's terms no longer allow to store, and no others."""

from showrunner.database import db
from showrunner.store.metrics import points
from tests.metrics.conftest import count_points


def test_public_figures_and_answers_are_deleted_after_29_days(client, tx):
    artist = client("POST", "/api/v1/artists", {"name": "T", "accounts": {"youtube": "UC" + "a" * 22}})
    artist_id = artist.body["artist"]["id"]
    db.run(
        tx,
        """
        INSERT INTO metrics.points (artist_id, platform, metric, at, last_at, value, definition)
        SELECT :artist_id, 'youtube', 'views', now() - make_interval(days => begins),
               now() - make_interval(days => ends), 5, 1
          FROM (VALUES (70, 40), (39, 30), (29, 28), (27, 0)) AS runs (begins, ends)
        """,
        artist_id=artist_id,
    )
    sql = "UPDATE metrics.accounts SET response = '{}', checked_at = now() - make_interval(days => :days) "
    sql += "WHERE artist_id = :artist_id"

    assert points.remove_expired(tx, 1) == 1
    assert points.remove_expired(tx, 10) == 1
    assert count_points(tx) == 2
    db.run(tx, sql, days=28, artist_id=artist_id)
    assert points.remove_responses(tx, 10) == 0
    db.run(tx, sql, days=30, artist_id=artist_id)
    assert points.remove_responses(tx, 10) == 1


def test_the_next_months_have_their_partition(tx):
    for month in range(3):
        points.prepare_month(tx, month)

    assert db.value(tx, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'metrics.points'::regclass") == 4
