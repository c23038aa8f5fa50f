-- A conversation's head follows its messages by itself, so that storing a message is one statement.
CREATE TRIGGER chat_message_advances_head AFTER INSERT ON chat_message
BEGIN
    UPDATE chat_head SET
        last_seq = max(last_seq, NEW.seq),
        change_seq = max(change_seq, NEW.change_seq),
        last_activity_at = CASE WHEN NEW.seq > last_seq THEN NEW.created_at ELSE last_activity_at END
    WHERE conversation_id = NEW.conversation_id;
END;

-- Heads that stayed behind, where a program that counts on the trigger wrote before it was there.
UPDATE chat_head SET
    last_seq = max(last_seq, coalesce((
        SELECT max(m.seq) FROM chat_message m
        WHERE m.conversation_id = chat_head.conversation_id), 0)),
    change_seq = max(change_seq, coalesce((
        SELECT max(m.change_seq) FROM chat_message m
        WHERE m.conversation_id = chat_head.conversation_id), 0));
