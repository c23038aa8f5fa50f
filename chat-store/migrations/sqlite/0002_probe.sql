-- The mark of the last probe: one row, overwritten each time somebody asks whether the store works.
CREATE TABLE chat_probe (
    id        INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    mark      BLOB NOT NULL,
    probed_at INTEGER NOT NULL
) STRICT;
