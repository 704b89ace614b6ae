-- SPDX-License-Identifier: Apache-2.0
-- Values too long for a row are files: `blob` is the SHA-256 that names the file, `blob_bytes` its length.

ALTER TABLE node ADD COLUMN blob TEXT;
ALTER TABLE node ADD COLUMN blob_bytes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX node_blob ON node (blob) WHERE blob IS NOT NULL;
