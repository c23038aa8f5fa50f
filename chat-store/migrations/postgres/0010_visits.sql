-- How a user wants to be shown while online, and who is on which node: what says when a user was last seen
-- whose node has died.
CREATE TABLE chat_node (
    id       UUID PRIMARY KEY,
    -- When it was last known to live, by the database's clock.
    alive_at BIGINT NOT NULL
) WITH (fillfactor = 50);

ALTER TABLE chat_user ADD COLUMN presence TEXT;

CREATE TABLE chat_visit (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    node_id UUID NOT NULL
);

CREATE INDEX chat_visit_node ON chat_visit (node_id, user_id);
