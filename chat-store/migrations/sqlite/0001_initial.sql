-- Conversations, their members and messages, and the accounts of those who log in here.
--
-- How values are kept:
--
-- * Ids of conversations, messages and login sessions are UUIDs, kept as blobs of 16 bytes. They
--   begin nearly every key, and as text they would be more than twice as long; compared byte by
--   byte they sort like the text does. User ids are the host's own texts.
-- * Times are integers: microseconds since 1970-01-01T00:00:00Z.
-- * Words such as 'room' are those of the protocol. No CHECK lists them, because a new word would
--   then mean copying the table.
--
-- Every key of what belongs to a conversation begins with the conversation, so that one
-- conversation's rows lie together. Tables without a rowid are kept in the order of their key.

CREATE TABLE chat_user (
    id           TEXT NOT NULL PRIMARY KEY,
    username     TEXT NOT NULL,
    -- The forms of the name that must be unique: by case, and by what it looks like.
    username_key TEXT NOT NULL UNIQUE,
    skeleton     TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    -- In lower case: what a search compares with.
    display_key  TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_user_display_key ON chat_user (display_key);

CREATE TABLE chat_conversation (
    id         BLOB NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    visibility TEXT NOT NULL,
    name       TEXT,
    -- In lower case: rooms are found by it and listed in its order.
    name_key   TEXT,
    topic      TEXT,
    created_by TEXT NOT NULL REFERENCES chat_user (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The list of public rooms.
CREATE INDEX chat_conversation_public ON chat_conversation (name_key, id)
    WHERE kind = 'room' AND visibility = 'public';

-- The oldest public room of a name.
CREATE INDEX chat_conversation_name ON chat_conversation (name_key, created_at, id)
    WHERE kind = 'room' AND visibility = 'public';

-- What makes a pair's direct conversation the only one.
CREATE TABLE chat_direct (
    lesser_user_id  TEXT NOT NULL REFERENCES chat_user (id),
    greater_user_id TEXT NOT NULL REFERENCES chat_user (id),
    conversation_id BLOB NOT NULL REFERENCES chat_conversation (id),
    PRIMARY KEY (lesser_user_id, greater_user_id),
    CHECK (lesser_user_id < greater_user_id)
) STRICT, WITHOUT ROWID;

-- How far a conversation has come: the one row that every message changes, and so a narrow one.
CREATE TABLE chat_head (
    conversation_id  BLOB NOT NULL PRIMARY KEY REFERENCES chat_conversation (id),
    last_seq         INTEGER NOT NULL,
    change_seq       INTEGER NOT NULL,
    -- Joined members, counted with the joins and departures that take a change here anyway.
    member_count     INTEGER NOT NULL,
    -- When the last message came, or the conversation was opened.
    last_activity_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Memberships. A row stays when somebody leaves, so that the leaving can be told to who was away.
CREATE TABLE chat_member (
    conversation_id BLOB NOT NULL REFERENCES chat_conversation (id),
    user_id         TEXT NOT NULL REFERENCES chat_user (id),
    role            TEXT NOT NULL,
    state           TEXT NOT NULL,
    change_seq      INTEGER NOT NULL,
    joined_at       INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

-- Catching up.
CREATE UNIQUE INDEX chat_member_change ON chat_member (conversation_id, change_seq);

-- A user's memberships in force.
CREATE INDEX chat_member_user ON chat_member (user_id, conversation_id, change_seq)
    WHERE state = 'joined';

-- How far a member has come: apart from the membership, because it changes far more often.
CREATE TABLE chat_cursor (
    conversation_id BLOB NOT NULL,
    user_id         TEXT NOT NULL,
    read_seq        INTEGER NOT NULL,
    delivered_seq   INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id),
    FOREIGN KEY (conversation_id, user_id) REFERENCES chat_member (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

-- Messages, in the order in which they are read. The text is last, so that counting what others
-- sent does not have to walk through long texts.
CREATE TABLE chat_message (
    conversation_id BLOB NOT NULL REFERENCES chat_conversation (id),
    seq             INTEGER NOT NULL,
    change_seq      INTEGER NOT NULL,
    id              BLOB NOT NULL UNIQUE,
    sender_id       TEXT NOT NULL REFERENCES chat_user (id),
    client_id       TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    -- The ids of the users mentioned, as a JSON array in the order of the text; null for none.
    mentions        TEXT,
    content         TEXT NOT NULL,
    PRIMARY KEY (conversation_id, seq)
) STRICT, WITHOUT ROWID;

-- What makes a repeated send the same message.
CREATE UNIQUE INDEX chat_message_client ON chat_message (conversation_id, sender_id, client_id);

-- Catching up.
CREATE UNIQUE INDEX chat_message_change ON chat_message (conversation_id, change_seq);

-- Mentions by others, for counting those that are unread.
CREATE TABLE chat_mention (
    conversation_id BLOB NOT NULL,
    user_id         TEXT NOT NULL REFERENCES chat_user (id),
    seq             INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id, seq),
    FOREIGN KEY (conversation_id, seq) REFERENCES chat_message (conversation_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_account (
    user_id       TEXT NOT NULL PRIMARY KEY REFERENCES chat_user (id),
    password_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_login_session (
    id           BLOB NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES chat_user (id),
    -- SHA-256 of the token; the token itself is nowhere.
    token_hash   BLOB NOT NULL UNIQUE,
    user_agent   TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_login_session_user ON chat_login_session (user_id, last_used_at, id);
CREATE INDEX chat_login_session_expires_at ON chat_login_session (expires_at);
