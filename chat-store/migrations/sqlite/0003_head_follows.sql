-- A conversation's head follows its messages by itself, so that storing a message is one statement.
CREATE TRIGGER chat_message_advances_head AFTER INSERT ON chat_message
BEGIN
    UPDATE chat_head SET
        last_seq = NEW.seq,
        change_seq = NEW.change_seq,
        last_activity_at = NEW.created_at
    WHERE conversation_id = NEW.conversation_id;
END;
