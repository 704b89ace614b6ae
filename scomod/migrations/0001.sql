-- SPDX-License-Identifier: Apache-2.0
-- The first schema: tree, journal, outbox, small facts.  Never edited; changes come as 0002.sql.

CREATE TABLE node (
    path     TEXT PRIMARY KEY,
    parent   TEXT NOT NULL,
    format   TEXT NOT NULL,
    type     TEXT NOT NULL DEFAULT '',
    acl      TEXT NOT NULL DEFAULT '',
    title    TEXT NOT NULL DEFAULT '',
    value    BLOB,
    tstamp_s INTEGER NOT NULL DEFAULT 0,
    verno    INTEGER NOT NULL DEFAULT 0,
    owner    TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE INDEX node_parent ON node (parent);

CREATE TABLE operation (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    branch      TEXT NOT NULL,
    primitive   TEXT NOT NULL,
    node        TEXT NOT NULL,
    exec_uri    TEXT NOT NULL,
    server_id   TEXT NOT NULL,
    correlator  TEXT,
    subject     TEXT NOT NULL,
    phase       TEXT NOT NULL,
    cursor      INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    stores      INTEGER NOT NULL DEFAULT 0,
    data        TEXT NOT NULL DEFAULT '{}',
    reason      TEXT,
    failed_step TEXT,
    detail      TEXT NOT NULL DEFAULT '',
    result      INTEGER,
    created_s   REAL NOT NULL,
    changed_s   REAL NOT NULL
);

CREATE TABLE alert (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    operation_id INTEGER,
    server_id    TEXT NOT NULL,
    correlator   TEXT,
    source       TEXT NOT NULL,
    target       TEXT NOT NULL,
    type         TEXT NOT NULL,
    mark         TEXT NOT NULL,
    data         TEXT NOT NULL,
    created_s    REAL NOT NULL,
    sent_count   INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
