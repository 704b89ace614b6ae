-- SPDX-License-Identifier: Apache-2.0
-- The plan that an operation was accepted with ('[]': that of the table), for plans come to differ.

ALTER TABLE operation ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';
