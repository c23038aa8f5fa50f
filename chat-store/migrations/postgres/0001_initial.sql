-- Conversations, their members and messages, and the accounts of those who log in here.
--
-- How values are kept:
--
-- * Ids of conversations, messages and login sessions are UUIDs. User ids are the host's own texts.
-- * Times are integers: microseconds since 1970-01-01T00:00:00Z.
-- * Texts that are compared or sorted have the collation "C", so that they sort by their bytes
--   whatever the collation of the database is, and an index serves a prefix.
-- * Words such as 'room' are those of the protocol. No CHECK lists them, so that a new word does
--   not lock a table.
--
-- Every key of what belongs to a conversation begins with the conversation.
--
-- What a send writes has no foreign keys: each would lock a row of users or conversations for every
-- message. The transaction has read the membership behind the lock on the head, and memberships
-- have them.

CREATE TABLE chat_user (
    id           TEXT COLLATE "C" PRIMARY KEY,
    username     TEXT NOT NULL,
    -- The forms of the name that must be unique: by case, and by what it looks like.
    username_key TEXT COLLATE "C" NOT NULL UNIQUE,
    skeleton     TEXT COLLATE "C" NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    -- In lower case: what a search compares with.
    display_key  TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT
) WITH (fillfactor = 85);

CREATE INDEX chat_user_display_key ON chat_user (display_key);

CREATE TABLE chat_conversation (
    id         UUID PRIMARY KEY,
    kind       TEXT NOT NULL,
    visibility TEXT NOT NULL,
    name       TEXT,
    -- In lower case: rooms are found by it and listed in its order.
    name_key   TEXT COLLATE "C",
    topic      TEXT,
    created_by TEXT COLLATE "C" NOT NULL REFERENCES chat_user (id),
    created_at BIGINT NOT NULL
);

-- The list of public rooms.
CREATE INDEX chat_conversation_public ON chat_conversation (name_key, id)
    WHERE kind = 'room' AND visibility = 'public';

-- The oldest public room of a name.
CREATE INDEX chat_conversation_name ON chat_conversation (name_key, created_at, id)
    WHERE kind = 'room' AND visibility = 'public';

-- What makes a pair's direct conversation the only one.
CREATE TABLE chat_direct (
    lesser_user_id  TEXT COLLATE "C" NOT NULL REFERENCES chat_user (id),
    greater_user_id TEXT COLLATE "C" NOT NULL REFERENCES chat_user (id),
    conversation_id UUID NOT NULL REFERENCES chat_conversation (id),
    PRIMARY KEY (lesser_user_id, greater_user_id),
    CHECK (lesser_user_id < greater_user_id)
);

-- How far a conversation has come: the one row that every message changes. No index has a column
-- that changes, and pages keep room, so that a new version goes beside the old one and no index
-- hears of it.
CREATE TABLE chat_head (
    conversation_id  UUID PRIMARY KEY REFERENCES chat_conversation (id),
    last_seq         BIGINT NOT NULL,
    change_seq       BIGINT NOT NULL,
    -- Joined members, counted with the joins and departures that take a change here anyway.
    member_count     BIGINT NOT NULL,
    -- When the last message came, or the conversation was opened.
    last_activity_at BIGINT NOT NULL
) WITH (fillfactor = 50);

-- Memberships. A row stays when somebody leaves, so that the leaving can be told to who was away.
CREATE TABLE chat_member (
    conversation_id UUID NOT NULL REFERENCES chat_conversation (id),
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES chat_user (id),
    role            TEXT NOT NULL,
    state           TEXT NOT NULL,
    change_seq      BIGINT NOT NULL,
    joined_at       BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);

-- Catching up.
CREATE UNIQUE INDEX chat_member_change ON chat_member (conversation_id, change_seq);

-- A user's memberships in force.
CREATE INDEX chat_member_user ON chat_member (user_id, conversation_id) INCLUDE (change_seq)
    WHERE state = 'joined';

-- How far a member has come: apart from the membership, because it changes far more often.
CREATE TABLE chat_cursor (
    conversation_id UUID NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    read_seq        BIGINT NOT NULL,
    delivered_seq   BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) WITH (fillfactor = 70);

CREATE TABLE chat_message (
    conversation_id UUID NOT NULL,
    seq             BIGINT NOT NULL,
    change_seq      BIGINT NOT NULL,
    id              UUID NOT NULL UNIQUE,
    sender_id       TEXT COLLATE "C" NOT NULL,
    client_id       TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    -- The ids of the users mentioned, as a JSON array in the order of the text; null for none.
    mentions        TEXT,
    content         TEXT NOT NULL,
    PRIMARY KEY (conversation_id, seq)
);

-- What makes a repeated send the same message.
CREATE UNIQUE INDEX chat_message_client ON chat_message (conversation_id, sender_id, client_id);

-- Catching up.
CREATE UNIQUE INDEX chat_message_change ON chat_message (conversation_id, change_seq);

-- Mentions by others, for counting those that are unread.
CREATE TABLE chat_mention (
    conversation_id UUID NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    seq             BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id, seq)
);

CREATE TABLE chat_account (
    user_id       TEXT COLLATE "C" PRIMARY KEY REFERENCES chat_user (id),
    password_hash TEXT NOT NULL
);

CREATE TABLE chat_login_session (
    id           UUID PRIMARY KEY,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES chat_user (id),
    -- SHA-256 of the token; the token itself is nowhere.
    token_hash   BYTEA NOT NULL UNIQUE,
    user_agent   TEXT,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

CREATE INDEX chat_login_session_user ON chat_login_session (user_id, last_used_at, id);
CREATE INDEX chat_login_session_expires_at ON chat_login_session (expires_at);

-- The mark of the last probe: one row, overwritten each time somebody asks whether the store works.
CREATE TABLE chat_probe (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    mark      UUID NOT NULL,
    probed_at BIGINT NOT NULL
) WITH (fillfactor = 50);
