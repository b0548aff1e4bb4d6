-- The log of all writes since the last compaction, and before it the newest of every key that still exists.
CREATE TABLE IF NOT EXISTS log (
    revision   INTEGER PRIMARY KEY,
    collection TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    deleted    INTEGER NOT NULL,
    value      BLOB    NOT NULL
) STRICT;

-- One row. Every change newer than `revision` is in the log, so watches may resume after it.
CREATE TABLE IF NOT EXISTS compacted (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
) STRICT;

INSERT OR IGNORE INTO compacted (id, revision) VALUES (1, 0);
