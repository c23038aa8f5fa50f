-- How a user wants to be shown while online, and who is on which node: what says when a user was last seen
-- whose node has died.
ALTER TABLE chat_user ADD COLUMN presence TEXT;

CREATE TABLE chat_node (
    id       BLOB NOT NULL PRIMARY KEY,
    -- When it was last known to live.
    alive_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_visit (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES chat_user (id),
    node_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_visit_node ON chat_visit (node_id, user_id);
