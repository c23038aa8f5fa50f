-- Catching up reads messages by their own key: the messages after a change are among the last of
-- their conversation, no more of them than there were changes since. Every message would have had to
-- be entered into this index, which is another page to write and to sync for each.
--
-- It is exact because a message's change_seq grows with its seq: a message is never changed. Once
-- messages can be changed, those that were need an index of their own, with a WHERE that leaves the
-- others out.
DROP INDEX chat_message_change;
