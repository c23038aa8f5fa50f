-- What users' names look like: the names that are shown and those whose case is ignored, so one or two
-- for each user. What chat_user.skeleton is for no longer; it stays, and stays unique.
CREATE TABLE chat_user_skeleton (
    skeleton TEXT NOT NULL PRIMARY KEY,
    user_id  TEXT NOT NULL REFERENCES chat_user (id)
) STRICT, WITHOUT ROWID;

-- By which rules the keys of names are made that are here (username_key, display_key, name_key and the
-- skeletons), and when the walk through those of older rules began. SQL cannot make them: the program
-- does after this migration, in portions.
CREATE TABLE chat_key_version (
    version    INTEGER NOT NULL PRIMARY KEY,
    rekeyed_at INTEGER NOT NULL
) STRICT;
