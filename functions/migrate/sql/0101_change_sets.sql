-- Changes of videos' metadata on YouTube: proposed together, approved, carried out row by row, and undone.
ALTER TABLE accounts.organisations ADD COLUMN changes_need_approval boolean NOT NULL DEFAULT false;

-- ready: every row was checked. approved: a second person agreed. attempt: which execution carries it out.
CREATE TABLE rights.change_sets (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id uuid NOT NULL REFERENCES accounts.organisations ON DELETE CASCADE,
    name            text NOT NULL,
    status          text NOT NULL DEFAULT 'ready' CHECK (status IN
                    ('ready', 'approved', 'running', 'stopping', 'stopped', 'done')),
    reason          text,
    undo_of         uuid REFERENCES rights.change_sets ON DELETE CASCADE,
    needs_approval  boolean NOT NULL,
    created_by      text NOT NULL,
    approved_by     text,
    attempt         integer NOT NULL DEFAULT 0,
    finish_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz
);
CREATE INDEX change_sets_newest ON rights.change_sets (organisation_id, created_at DESC, id DESC);
-- A change set is undone once; what an undo could not restore is changed by a new one.
CREATE UNIQUE INDEX change_sets_undo ON rights.change_sets (undo_of) WHERE undo_of IS NOT NULL;

-- One video of a change set. changes: path of the field (snippet.title) -> value, null to remove it. expected: what the
-- fields must have, or the row is refused. before and after: these fields as YouTube had them around the write.
CREATE TABLE rights.changes (
    id              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    change_set_id   uuid NOT NULL REFERENCES rights.change_sets ON DELETE CASCADE,
    row_number      integer NOT NULL,
    organisation_id uuid NOT NULL,
    video_id        text NOT NULL,
    connection_id   uuid,
    changes         jsonb NOT NULL DEFAULT '{}',
    expected        jsonb NOT NULL DEFAULT '{}',
    known           jsonb NOT NULL DEFAULT '{}',
    before          jsonb,
    after           jsonb,
    status          text NOT NULL CHECK (status IN
                    ('invalid', 'pending', 'success', 'unchanged', 'failed', 'error')),
    message         text,
    queued_at       timestamptz,
    finished_at     timestamptz,
    PRIMARY KEY (change_set_id, row_number)
);
CREATE INDEX changes_of_status ON rights.changes (change_set_id, status, row_number);
CREATE INDEX changes_to_do ON rights.changes (change_set_id, connection_id, row_number) WHERE status = 'pending';
CREATE INDEX syncs_newest ON rights.changes (organisation_id, queued_at DESC, id DESC) WHERE queued_at IS NOT NULL;
CREATE INDEX syncs_of_status ON rights.changes (organisation_id, status, queued_at DESC, id DESC)
    WHERE queued_at IS NOT NULL;
CREATE INDEX syncs_of_video ON rights.changes (organisation_id, video_id, queued_at DESC, id DESC)
    WHERE queued_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON rights.change_sets, rights.changes TO showrunner_functions;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA rights TO showrunner_functions;
