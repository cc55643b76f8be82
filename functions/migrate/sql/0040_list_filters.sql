-- Every filter of a long list is served by an index: tests/database/test_plans.py.

CREATE INDEX videos_of_status ON studio.videos (organisation_id, status, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX events_of_actor ON audit.events (actor, id DESC) WHERE actor IS NOT NULL;
CREATE INDEX events_of_action ON audit.events (action, id DESC);
