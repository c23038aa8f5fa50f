-- Members whose record was changed after they had joined: by which change they had joined. A row counts
-- only while its change is the last of the membership, so joining and leaving need not know of it. Such
-- changes are rare, so most memberships have no row.
CREATE TABLE chat_promotion (
    conversation_id BLOB NOT NULL,
    user_id         TEXT NOT NULL,
    change_seq      INTEGER NOT NULL,
    joined_seq      INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id),
    FOREIGN KEY (conversation_id, user_id) REFERENCES chat_member (conversation_id, user_id)
) STRICT, WITHOUT ROWID;
