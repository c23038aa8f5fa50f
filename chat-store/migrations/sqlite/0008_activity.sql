-- A conversation's place in the lists of its members hung on the clock at its last message: a clock that
-- goes back buries what is written, and one that has been ahead keeps it on top. Now it is a number
-- that only grows, which comes with each message, since the head follows by a trigger.
--
-- Conversations that nobody has written in since have 0. They come after all others, in the order of their
-- times, so no row has to be visited.
ALTER TABLE chat_head ADD COLUMN activity INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_message ADD COLUMN activity INTEGER;

DROP TRIGGER chat_message_advances_head;
CREATE TRIGGER chat_message_advances_head AFTER INSERT ON chat_message
BEGIN
    UPDATE chat_head SET
        last_seq = max(last_seq, NEW.seq),
        change_seq = max(change_seq, NEW.change_seq),
        last_activity_at = max(last_activity_at, NEW.created_at),
        activity = max(activity + 1, coalesce(NEW.activity, 0))
    WHERE conversation_id = NEW.conversation_id;
END;
