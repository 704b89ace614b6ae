-- SPDX-License-Identifier: Apache-2.0
-- What Inventory/Deployed showed of each component when it was last written: an empty digest
-- is none's, so that the next look writes what differs.

CREATE TABLE component (
    id     TEXT NOT NULL,
    path   TEXT NOT NULL,
    digest BLOB NOT NULL,
    acl    TEXT NOT NULL,
    rule   TEXT NOT NULL,
    PRIMARY KEY (id, path)
) WITHOUT ROWID;

INSERT INTO component (id, path, digest, acl, rule)
SELECT CAST(leaf.value AS TEXT), item.path, x'', item.acl, ''
FROM node AS leaf JOIN node AS item ON item.path = leaf.parent
WHERE leaf.path GLOB '*/Inventory/Deployed/*/ID';
