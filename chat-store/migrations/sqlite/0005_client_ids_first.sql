-- What makes a repeated send the same message begins with the client id: the ids that most clients make
-- grow with time (UUIDv7, ULID), and so do those that are made here for who sends none. Then
-- what is sent at one moment stands on one page, which is written and synced once, and not on one for each
-- sender. Ids that do not grow cost what they did.
DROP INDEX chat_message_client;
CREATE UNIQUE INDEX chat_message_client ON chat_message (client_id, conversation_id, sender_id);
