-- Assets have a name and tags, by which they are found again.
ALTER TABLE studio.assets ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 200);
ALTER TABLE studio.assets ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
