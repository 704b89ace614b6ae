-- SPDX-License-Identifier: Apache-2.0
-- A report may have several items ([[target, data], ...]); an operation keeps what came when
-- ([[seconds, phase, step], ...]), when its server took the report, and with which status.

ALTER TABLE alert ADD COLUMN items TEXT NOT NULL DEFAULT '[]';
UPDATE alert SET items = json_array(json_array(target, data));
ALTER TABLE alert DROP COLUMN target;
ALTER TABLE alert DROP COLUMN data;

ALTER TABLE operation ADD COLUMN timeline TEXT NOT NULL DEFAULT '[]';
ALTER TABLE operation ADD COLUMN reported_s REAL;
ALTER TABLE operation ADD COLUMN report_status INTEGER;
