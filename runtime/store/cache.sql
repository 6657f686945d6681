-- The tables of a request cache, a database of its own beside the store. Portable SQL, as in schema.sql.

-- schema version 1

-- One row is the answer to one request. What it was is in `request`, whose digest finds it again; the columns between
-- are parts of it, for people and for clearing.
CREATE TABLE entries (
  digest         TEXT NOT NULL PRIMARY KEY, -- SHA-256 of request, hexadecimal
  kind           TEXT NOT NULL,             -- http command
  target_id      TEXT NOT NULL,             -- who asked: a target or scorer; '' for a script
  target_version TEXT NOT NULL,             -- its declared version, else the digest of its definition
  trial          BIGINT NOT NULL,           -- 0 outside of items
  request        TEXT NOT NULL,             -- JSON, identity text, without secrets
  answer         TEXT NOT NULL,             -- JSON
  created_at     TEXT NOT NULL              -- when the answer came
);
CREATE INDEX entries_by_target ON entries (target_id, created_at);
