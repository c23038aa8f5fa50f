-- Members whose record was changed after they had joined: by which change they had joined. A row counts
-- only while its change is the last of the membership, so joining and leaving need not know of it, nor
-- need nodes of the version before. Such changes are rare, so most memberships have no row.
CREATE TABLE chat_promotion (
    conversation_id UUID NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    change_seq      BIGINT NOT NULL,
    joined_seq      BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
