-- A conversation's place in the lists of its members hung on the clock of the node that stored the last
-- message: a clock that goes back buries what is written, and one that has been ahead keeps it on top. Now it
-- is a number that only grows, taken from a sequence, which no transaction waits for. A batch takes one
-- number and has the 1,023 after it for its conversations.
--
-- Conversations that nobody has written in since have 0. They come after all others, in the order of their
-- times, so no row has to be visited.
CREATE SEQUENCE chat_activity AS BIGINT INCREMENT BY 1024 MINVALUE 1024;

ALTER TABLE chat_head ADD COLUMN activity BIGINT NOT NULL DEFAULT 0;
-- For new rows only, those that nodes of the version before make among them.
ALTER TABLE chat_head ALTER COLUMN activity SET DEFAULT nextval('chat_activity');

-- For nodes of the version before, which move a head without a number. For the others, this is one comparison.
CREATE FUNCTION chat_head_takes_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.activity := nextval('chat_activity');
    NEW.last_activity_at := greatest(OLD.last_activity_at, NEW.last_activity_at);
    RETURN NEW;
END
$$;

CREATE TRIGGER chat_head_takes_activity BEFORE UPDATE ON chat_head FOR EACH ROW
    WHEN (NEW.last_seq > OLD.last_seq AND NEW.activity = OLD.activity)
    EXECUTE FUNCTION chat_head_takes_activity();
