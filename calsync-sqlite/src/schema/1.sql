-- The tables of calsync, version 1. Rowid tables with unique indexes throughout: clustering large rows on random ids made
-- writing four to seven times slower when it was measured. Every key starts with the tenant. A body is the whole row as
-- JSON; the columns beside it are what is searched for.

CREATE TABLE calsync_lease (
  tenant TEXT NOT NULL,
  name   TEXT NOT NULL,
  owner  TEXT,              -- nobody, once it is given back; the row stays for its fence
  fence  INTEGER NOT NULL,
  until  INTEGER NOT NULL,  -- microseconds since 1970, by the clock of calsync
  ttl    INTEGER NOT NULL,  -- microseconds
  UNIQUE (tenant, name)
) STRICT;

-- The kill switch. The one of every tenant is the only row that belongs to no tenant.
CREATE TABLE calsync_halt (
  tenant   TEXT NOT NULL,
  everyone INTEGER NOT NULL,  -- 1 with an empty tenant: of every tenant
  body     TEXT NOT NULL,
  UNIQUE (tenant, everyone),
  CHECK (everyone IN (0, 1) AND (everyone = 0 OR tenant = ''))
) STRICT;

CREATE TABLE calsync_binding (
  tenant   TEXT NOT NULL,
  id       TEXT NOT NULL,
  version  INTEGER NOT NULL,
  provider TEXT NOT NULL,
  calendar TEXT NOT NULL COLLATE NOCASE,
  body     TEXT NOT NULL,
  UNIQUE (tenant, id),
  UNIQUE (tenant, provider, calendar)
) STRICT;

CREATE TABLE calsync_state (
  tenant  TEXT NOT NULL,
  binding TEXT NOT NULL,
  body    TEXT NOT NULL,
  UNIQUE (tenant, binding)
) STRICT;

CREATE TABLE calsync_link (
  tenant      TEXT NOT NULL,
  binding     TEXT NOT NULL,
  record      TEXT NOT NULL,
  record_root TEXT NOT NULL,
  key         TEXT NOT NULL,
  remote_root TEXT NOT NULL,
  live        INTEGER NOT NULL,
  version     TEXT,  -- of the CRM record, where it equals the base
  body        TEXT NOT NULL,
  UNIQUE (tenant, binding, record),
  UNIQUE (tenant, binding, key)
) STRICT;
-- What stands by itself is its own root, and is found by its key: most rows are in neither of these.
CREATE INDEX calsync_link_record_root ON calsync_link (tenant, binding, record_root) WHERE record_root <> record;
CREATE INDEX calsync_link_remote_root ON calsync_link (tenant, binding, remote_root) WHERE remote_root <> key;
-- To be counted. Without the key it is filled in the order of the rows.
CREATE INDEX calsync_link_live ON calsync_link (tenant, binding) WHERE live = 1;

CREATE TABLE calsync_remote (
  tenant     TEXT NOT NULL,
  binding    TEXT NOT NULL,
  key        TEXT NOT NULL,
  root       TEXT NOT NULL,
  generation INTEGER NOT NULL,
  pending    INTEGER NOT NULL,
  body       TEXT NOT NULL,
  UNIQUE (tenant, binding, key)
) STRICT;
CREATE INDEX calsync_remote_root ON calsync_remote (tenant, binding, root) WHERE root <> key;
CREATE INDEX calsync_remote_pending ON calsync_remote (tenant, binding, root, pending) WHERE pending = 1;

CREATE TABLE calsync_mark (
  tenant  TEXT NOT NULL,
  binding TEXT NOT NULL,
  record  TEXT NOT NULL,
  root    TEXT NOT NULL,
  body    TEXT NOT NULL,
  UNIQUE (tenant, binding, record)
) STRICT;
CREATE INDEX calsync_mark_root ON calsync_mark (tenant, binding, root);

-- Roots that a reviewer deselected: those of the calendar (remote) and of the CRM (local).
CREATE TABLE calsync_deselected (
  tenant  TEXT NOT NULL,
  binding TEXT NOT NULL,
  side    TEXT NOT NULL CHECK (side IN ('remote', 'local')),
  root    TEXT NOT NULL,
  UNIQUE (tenant, binding, side, root)
) STRICT;

-- Warnings of working hours that stand. `occurrence` is the slot, empty for a single appointment.
CREATE TABLE calsync_warning (
  tenant     TEXT NOT NULL,
  binding    TEXT NOT NULL,
  event      TEXT NOT NULL,
  occurrence TEXT NOT NULL,
  person     TEXT NOT NULL,
  version    TEXT NOT NULL,
  body       TEXT NOT NULL,
  UNIQUE (tenant, binding, event, occurrence, person, version)
) STRICT;

-- AUTOINCREMENT, here and below: a number is never given twice, not even after its row was dropped.
CREATE TABLE calsync_outbox (
  sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant    TEXT NOT NULL,
  binding   TEXT NOT NULL,
  operation TEXT NOT NULL,
  record    TEXT NOT NULL,
  root      TEXT NOT NULL,
  body      TEXT NOT NULL,
  UNIQUE (tenant, binding, operation)
) STRICT;
CREATE INDEX calsync_outbox_order ON calsync_outbox (tenant, binding, sequence);
CREATE INDEX calsync_outbox_record ON calsync_outbox (tenant, binding, record);
CREATE INDEX calsync_outbox_root ON calsync_outbox (tenant, binding, root);

CREATE TABLE calsync_journal (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant  TEXT NOT NULL,
  binding TEXT NOT NULL,
  record  TEXT NOT NULL,
  body    TEXT NOT NULL
) STRICT;
CREATE INDEX calsync_journal_order ON calsync_journal (tenant, binding, n);
CREATE INDEX calsync_journal_record ON calsync_journal (tenant, binding, record, n);

CREATE TABLE calsync_run (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant  TEXT NOT NULL,
  binding TEXT NOT NULL,
  id      TEXT NOT NULL,
  body    TEXT NOT NULL,
  UNIQUE (tenant, binding, id)
) STRICT;
CREATE INDEX calsync_run_order ON calsync_run (tenant, binding, n);

CREATE TABLE calsync_plan (
  tenant TEXT NOT NULL,
  id     TEXT NOT NULL,
  body   TEXT NOT NULL,
  UNIQUE (tenant, id)
) STRICT;

CREATE TABLE calsync_plan_row (
  tenant TEXT NOT NULL,
  plan   TEXT NOT NULL,
  number INTEGER NOT NULL,
  body   TEXT NOT NULL,
  UNIQUE (tenant, plan, number),
  FOREIGN KEY (tenant, plan) REFERENCES calsync_plan (tenant, id) ON DELETE CASCADE
) STRICT;

-- What only the vault can read: keys, clients, grants, consents, invitations and settings with a secret in them.
CREATE TABLE calsync_sealed (
  tenant  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  version INTEGER NOT NULL,
  expires INTEGER,          -- microseconds since 1970; never without
  facts   TEXT NOT NULL,    -- JSON, never secret
  sealed  BLOB,
  UNIQUE (tenant, kind, name)
) STRICT;
-- To find a row of whichever tenant, the tenants that have any, and what is expired.
CREATE INDEX calsync_sealed_name ON calsync_sealed (kind, name, tenant);
CREATE INDEX calsync_sealed_tenant ON calsync_sealed (kind, tenant);
CREATE INDEX calsync_sealed_expires ON calsync_sealed (kind, expires) WHERE expires IS NOT NULL;

-- What happened to connections and settings. `at` is in microseconds since 1970.
CREATE TABLE calsync_audit (
  n      INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  what   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  body   TEXT NOT NULL
) STRICT;
CREATE INDEX calsync_audit_order ON calsync_audit (tenant, n);
CREATE INDEX calsync_audit_what ON calsync_audit (tenant, what, n);

-- calsync's own table of appointments, for calsync and for the CRM's plain SQL alike: see docs/appointment.md.

CREATE TABLE appointment (
  tenant       TEXT NOT NULL,
  id           TEXT NOT NULL,
  version      INTEGER,
  agent        TEXT NOT NULL,
  series       TEXT,
  slot         TEXT,
  summary      TEXT,
  description  TEXT,
  location     TEXT,
  starts       TEXT,
  ends         TEXT,
  zone         TEXT,
  all_day      INTEGER GENERATED ALWAYS AS (starts IS NOT NULL AND zone IS NULL) VIRTUAL,
  recurrence   TEXT,
  status       TEXT,
  transparency TEXT,
  visibility   TEXT,
  fields       TEXT NOT NULL DEFAULT '{}',
  sync         INTEGER NOT NULL DEFAULT 1,
  modified     TEXT,
  UNIQUE (tenant, id),
  CONSTRAINT "an occurrence has a series and a slot, written 20261123 or 20261123T160000Z in UTC" CHECK (
    (series IS NULL) = (slot IS NULL) AND (slot IS NULL
      OR slot GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
      OR slot GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z')),
  CONSTRAINT "starts and ends are both written 2026-11-23T09:00:00, with a zone, or both 2026-11-23, without" CHECK (
    CASE
      WHEN starts IS NULL OR ends IS NULL THEN starts IS NULL AND ends IS NULL AND zone IS NULL AND recurrence IS NULL
      WHEN zone IS NULL THEN
        starts GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
        AND ends GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
      ELSE
        starts GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]'
        AND ends GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]'
    END),
  CONSTRAINT "recurrence is a JSON list of lines, such as [""RRULE:FREQ=WEEKLY""]" CHECK (
    recurrence IS NULL OR json_valid(recurrence) AND json_type(recurrence) = 'array'),
  CONSTRAINT "fields is a JSON object" CHECK (json_valid(fields) AND json_type(fields) = 'object'),
  CONSTRAINT "sync is 0 or 1" CHECK (sync IN (0, 1)),
  CONSTRAINT "modified is written 2026-11-23T09:00:00Z, in UTC" CHECK (
    modified IS NULL OR modified GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*Z')
) STRICT;
CREATE INDEX appointment_of_series ON appointment (tenant, series) WHERE series IS NOT NULL;
CREATE INDEX appointment_single ON appointment (tenant, agent, max(starts, ends))
  WHERE starts IS NOT NULL AND recurrence IS NULL;
CREATE INDEX appointment_recurring ON appointment (tenant, agent, starts) WHERE recurrence IS NOT NULL;
CREATE INDEX appointment_untimed ON appointment (tenant, agent) WHERE starts IS NULL;

-- The number of the last change of any appointment of any tenant. SQLite has one writer at a time, so the order of
-- these numbers is the order of commits.
CREATE TABLE appointment_sequence (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  value   INTEGER NOT NULL,
  calsync INTEGER NOT NULL CHECK (calsync IN (0, 1))  -- 1 only inside of a transaction that keeps the changes itself
) STRICT;
INSERT INTO appointment_sequence VALUES (1, 0, 0);

-- The last change of every appointment there ever was; what is left of a deleted one.
CREATE TABLE appointment_change (
  version           INTEGER PRIMARY KEY,
  tenant            TEXT NOT NULL,
  id                TEXT NOT NULL,
  agent             TEXT NOT NULL,
  series            TEXT,
  slot              TEXT,
  sync              INTEGER NOT NULL,
  deleted           INTEGER NOT NULL,
  modified          TEXT NOT NULL,
  operation         TEXT,     -- which wrote this version, if calsync did
  created_operation TEXT,     -- which made the appointment, if calsync did
  created_version   INTEGER,  -- and the version that it had then
  UNIQUE (tenant, id)
) STRICT;
CREATE INDEX appointment_change_order ON appointment_change (tenant, version);

-- What the CRM writes is kept by triggers. calsync says itself what they would have to find out, and does not write a row
-- three times.

CREATE TRIGGER appointment_inserted AFTER INSERT ON appointment
WHEN (SELECT calsync FROM appointment_sequence) = 0 BEGIN
  UPDATE appointment_sequence SET value = value + 1;
  INSERT INTO appointment_change (version, tenant, id, agent, series, slot, sync, deleted, modified)
    SELECT value, NEW.tenant, NEW.id, NEW.agent, NEW.series, NEW.slot, NEW.sync, 0,
      coalesce(NEW.modified, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    FROM appointment_sequence WHERE true
    ON CONFLICT (tenant, id) DO UPDATE SET
      version = excluded.version, agent = excluded.agent, series = excluded.series, slot = excluded.slot,
      sync = excluded.sync, deleted = 0, modified = excluded.modified,
      operation = NULL, created_operation = NULL, created_version = NULL;
  UPDATE appointment SET
    version = (SELECT value FROM appointment_sequence),
    modified = coalesce(modified, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
  WHERE tenant = NEW.tenant AND id = NEW.id;
END;

-- `version` and `modified` are not in the list: setting them alone is no change, and this trigger sets them itself.
CREATE TRIGGER appointment_updated AFTER UPDATE OF
  agent, series, slot, summary, description, location, starts, ends, zone, recurrence, status, transparency, visibility,
  fields, sync
ON appointment WHEN (SELECT calsync FROM appointment_sequence) = 0 BEGIN
  UPDATE appointment_sequence SET value = value + 1;
  UPDATE appointment_change SET
    version = (SELECT value FROM appointment_sequence),
    agent = NEW.agent, series = NEW.series, slot = NEW.slot, sync = NEW.sync,
    operation = NULL
  WHERE tenant = NEW.tenant AND id = NEW.id;
  UPDATE appointment SET
    version = (SELECT value FROM appointment_sequence),
    modified = CASE WHEN NEW.modified IS OLD.modified THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') ELSE NEW.modified END
  WHERE tenant = NEW.tenant AND id = NEW.id;
END;

CREATE TRIGGER appointment_deleted AFTER DELETE ON appointment
WHEN (SELECT calsync FROM appointment_sequence) = 0 BEGIN
  UPDATE appointment_sequence SET value = value + 1;
  UPDATE appointment_change SET
    version = (SELECT value FROM appointment_sequence),
    deleted = 1, modified = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    operation = NULL
  WHERE tenant = OLD.tenant AND id = OLD.id;
END;

CREATE TRIGGER appointment_renamed BEFORE UPDATE OF tenant, id ON appointment
WHEN NEW.tenant IS NOT OLD.tenant OR NEW.id IS NOT OLD.id BEGIN
  SELECT RAISE(ABORT, 'the tenant and the id of an appointment never change: delete it and insert another');
END;

CREATE TRIGGER appointment_version_set BEFORE UPDATE OF version ON appointment
WHEN NEW.version IS NOT (SELECT version FROM appointment_change WHERE tenant = NEW.tenant AND id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'the version of an appointment is given by the table and cannot be set');
END;
