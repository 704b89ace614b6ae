-- SPDX-License-Identifier: Apache-2.0
-- What the server of a download descriptor is to be told of an operation that ended (its
-- installNotifyURI): `settled_s` and `outcome` say when and how that came to an end.

CREATE TABLE notice (
    operation_id INTEGER PRIMARY KEY REFERENCES operation (id) ON DELETE CASCADE,
    url          TEXT NOT NULL,
    status       INTEGER NOT NULL,
    created_s    REAL NOT NULL,
    tries        INTEGER NOT NULL DEFAULT 0,
    settled_s    REAL,
    outcome      TEXT NOT NULL DEFAULT ''
);
