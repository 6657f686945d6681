-- The tables of a store. Each block after "-- schema version N" is the migration from N-1 to N.
--
-- Portable SQL: SQLite and PostgreSQL 15. Two notes to the driver, both matters of layout and not of meaning:
--   BIGINT PRIMARY KEY     a number of 64 bits that we hand out (SQLite: INTEGER PRIMARY KEY)
--   /* clustered */        rows are kept in the order of the primary key (SQLite: WITHOUT ROWID)
-- Times are RFC 3339 text in UTC with milliseconds; JSON is text in storage form; booleans are 0 and 1. There are no
-- foreign keys: rows are never deleted behind each other's back, and checking them would cost the hot path.

-- schema version 1

CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE datasets (
  id                  TEXT NOT NULL PRIMARY KEY,
  name                TEXT NOT NULL,
  description         TEXT,
  metadata            TEXT,
  tags                TEXT,
  input_schema        TEXT,
  ground_truth_schema TEXT,
  target              TEXT,
  scorers             TEXT,
  owner               TEXT,              -- the suite whose file is the source of truth, or null
  version             BIGINT NOT NULL,   -- the latest; 0 before the first item
  created_at          TEXT NOT NULL,
  updated_at          TEXT NOT NULL,
  deleted_at          TEXT               -- a deleted dataset keeps its rows for the experiments that ran it
);
CREATE UNIQUE INDEX datasets_by_name ON datasets (name) WHERE deleted_at IS NULL;

CREATE TABLE dataset_versions (
  dataset_id TEXT NOT NULL,
  version    BIGINT NOT NULL,
  digest     TEXT,                       -- null until somebody asked for it
  item_count BIGINT NOT NULL,
  added      BIGINT NOT NULL,
  updated    BIGINT NOT NULL,
  removed    BIGINT NOT NULL,
  message    TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (dataset_id, version)
);

CREATE TABLE dataset_aliases (
  dataset_id TEXT NOT NULL,
  name       TEXT NOT NULL,
  version    BIGINT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (dataset_id, name)
);

-- One row is one state of one item: it belongs to the versions valid_from <= v < valid_to (no valid_to: to this day).
CREATE TABLE items (
  item_key            BIGINT PRIMARY KEY,
  dataset_id          TEXT NOT NULL,
  item_id             TEXT NOT NULL,
  valid_from          BIGINT NOT NULL,
  valid_to            BIGINT,
  span_node           BIGINT,            -- of closed rows: the tree node that keeps [valid_from, valid_to - 1]
  position            BIGINT NOT NULL,   -- orders the items of a version; has gaps
  auto_id             SMALLINT NOT NULL,
  digest              TEXT NOT NULL,
  input               TEXT NOT NULL,
  ground_truth        TEXT,
  context             TEXT,
  expected_trajectory TEXT,
  steps               TEXT,
  output              TEXT,
  metadata            TEXT,
  tags                TEXT,
  scorers             TEXT,
  expect              TEXT,
  tool_mocks          TEXT,
  source              TEXT
);
CREATE UNIQUE INDEX items_by_id ON items (dataset_id, item_id, valid_from);
CREATE INDEX items_open ON items (dataset_id, position) WHERE valid_to IS NULL;
CREATE INDEX items_open_from ON items (dataset_id, valid_from, position) WHERE valid_to IS NULL;
CREATE INDEX items_span_from ON items (dataset_id, span_node, valid_from, valid_to, position)
  WHERE span_node IS NOT NULL;
CREATE INDEX items_span_to ON items (dataset_id, span_node, valid_to, valid_from, position)
  WHERE span_node IS NOT NULL;

CREATE TABLE experiments (
  id              TEXT NOT NULL PRIMARY KEY,
  number          BIGINT NOT NULL,       -- 1, 2, 3 ... in this store
  name            TEXT NOT NULL,
  variant         TEXT,
  description     TEXT,
  metadata        TEXT,
  tags            TEXT,
  suite           TEXT,
  command_line    TEXT,
  dataset_id      TEXT,
  dataset_name    TEXT,
  dataset_version BIGINT,
  dataset_digest  TEXT,
  target_type     TEXT,
  target_id       TEXT,
  target_version  TEXT,
  scorers         TEXT,
  metrics         TEXT,
  slices          TEXT,
  options         TEXT,
  params          TEXT,
  selection       TEXT,
  git             TEXT,
  host            TEXT,
  seed            BIGINT,
  total_items     BIGINT,
  status          TEXT NOT NULL,         -- pending running completed failed cancelled
  verdict         TEXT,                  -- pass fail inconclusive error none
  summary         TEXT,
  created_at      TEXT NOT NULL,
  started_at      TEXT,
  completed_at    TEXT,
  accepted_at     TEXT                   -- when it became the baseline of its name and variant; the last one counts
);
CREATE UNIQUE INDEX experiments_by_number ON experiments (number);
CREATE INDEX experiments_by_name ON experiments (name, number);

-- What an experiment runs: stored before the first item is dispatched.
CREATE TABLE selections (
  experiment_id TEXT NOT NULL,
  position      BIGINT NOT NULL,         -- 1, 2, 3 ... in item order; the trials of an item follow each other
  item_id       TEXT NOT NULL,
  item_version  BIGINT NOT NULL,         -- valid_from of the item's row
  trial         BIGINT NOT NULL,
  item_key      BIGINT NOT NULL,         -- the item's row
  PRIMARY KEY (experiment_id, position)
) /* clustered */;

CREATE TABLE results (
  experiment_id   TEXT NOT NULL,
  position        BIGINT NOT NULL,       -- as in selections
  item_id         TEXT NOT NULL,
  item_version    BIGINT NOT NULL,
  trial           BIGINT NOT NULL,
  status          TEXT NOT NULL,         -- ok error timeout limited skipped
  passed          SMALLINT,
  output          TEXT,
  error           TEXT,
  started_at      TEXT,
  completed_at    TEXT,
  latency_ms      DOUBLE PRECISION,
  retry_count     BIGINT NOT NULL,
  usage           TEXT,
  steps           TEXT,
  trajectory      TEXT,
  context         TEXT,
  metadata        TEXT,
  output_repaired SMALLINT NOT NULL,
  interrupted_by  BIGINT NOT NULL,
  PRIMARY KEY (experiment_id, position)
) /* clustered */;

CREATE INDEX results_by_item ON results (experiment_id, item_id, trial);

CREATE TABLE attempts (
  experiment_id TEXT NOT NULL,
  item_id       TEXT NOT NULL,
  trial         BIGINT NOT NULL,
  attempt       BIGINT NOT NULL,
  status        TEXT NOT NULL,
  error         TEXT,
  started_at    TEXT,
  latency_ms    DOUBLE PRECISION,
  PRIMARY KEY (experiment_id, item_id, trial, attempt)
) /* clustered */;

CREATE TABLE scores (
  experiment_id TEXT NOT NULL,
  position      BIGINT NOT NULL,         -- as in selections
  scorer_id     TEXT NOT NULL,
  step_id       TEXT NOT NULL,           -- '' when the score is of the whole item
  score_set     TEXT NOT NULL,           -- '' for the scores of the run itself
  item_id       TEXT NOT NULL,
  trial         BIGINT NOT NULL,
  scorer_name   TEXT,
  status        TEXT NOT NULL,           -- ok unscored error
  score         DOUBLE PRECISION,
  label         TEXT,
  passed        SMALLINT,
  reason        TEXT,
  error         TEXT,
  metadata      TEXT,
  latency_ms    DOUBLE PRECISION,
  source        TEXT,                    -- null: a scorer of the suite
  PRIMARY KEY (experiment_id, position, scorer_id, step_id, score_set)
) /* clustered */;

-- Views for people (`evalua sql`, `sqlite3 FILE`): their names and columns are stable, whatever becomes of the tables.
-- An experiment that was interrupted shows as `running` here: only the lock beside the file tells (`evalua sql` asks it).

CREATE VIEW v_experiments AS
SELECT e.number, e.id, e.name, e.variant, e.status, e.verdict, e.dataset_name, e.dataset_version, e.target_id,
       e.target_type, e.total_items,
       (SELECT COUNT(*) FROM results r WHERE r.experiment_id = e.id AND r.status = 'ok') AS ok_count,
       (SELECT COUNT(*) FROM results r WHERE r.experiment_id = e.id AND r.status NOT IN ('ok', 'skipped'))
         AS failed_count,
       (SELECT COUNT(*) FROM results r WHERE r.experiment_id = e.id AND r.status = 'skipped') AS skipped_count,
       (SELECT COUNT(*) FROM results r WHERE r.experiment_id = e.id AND r.passed = 1) AS passed_count,
       (SELECT AVG(r.latency_ms) FROM results r WHERE r.experiment_id = e.id AND r.status <> 'skipped')
         AS mean_latency_ms,
       e.suite, e.params, e.tags, e.metadata, e.git, e.host, e.seed, e.summary, e.created_at, e.started_at,
       e.completed_at
FROM experiments e;

-- One row an item and trial.
CREATE VIEW v_results AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, r.experiment_id, r.position, r.item_id,
       r.item_version, r.trial, r.status, r.passed, i.input, i.ground_truth, r.output, r.error, i.metadata, i.tags,
       r.latency_ms, r.retry_count, r.usage, r.steps, r.trajectory, COALESCE(r.context, i.context) AS context,
       r.metadata AS target_metadata, r.output_repaired, r.interrupted_by, r.started_at, r.completed_at
FROM results r
JOIN experiments e ON e.id = r.experiment_id
LEFT JOIN selections s ON s.experiment_id = r.experiment_id AND s.position = r.position
LEFT JOIN items i ON i.item_key = s.item_key;

-- One row a score; `scorer` is the name that summaries use: exact, or fetch-data/exact for a step's.
CREATE VIEW v_scores AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, s.experiment_id, s.position, s.item_id,
       s.trial, CASE WHEN s.step_id = '' THEN s.scorer_id ELSE s.step_id || '/' || s.scorer_id END AS scorer,
       s.scorer_id, s.step_id, s.score_set, s.source, s.status, s.score, s.label, s.passed, s.reason, s.error,
       s.metadata, s.latency_ms
FROM scores s
JOIN experiments e ON e.id = s.experiment_id;

-- schema version 2

ALTER TABLE scores ADD COLUMN scored_at TEXT;  -- of scores that came after the run: by a person, or a later score set

-- Requests that took part in the cache; null where none did. Where the cache answered all of a target's, the result has
-- no latency.
ALTER TABLE results ADD COLUMN cache_hits BIGINT;
ALTER TABLE results ADD COLUMN cache_misses BIGINT;

-- Scores given to stored outputs after the run (`evalua score`). The run's own scores are the set '' and have no row.
CREATE TABLE score_sets (
  experiment_id TEXT NOT NULL,
  name          TEXT NOT NULL,
  suite         TEXT,
  scorers       TEXT NOT NULL,           -- definitions with their digests, as in experiments
  total         BIGINT NOT NULL,         -- results to score
  status        TEXT NOT NULL,           -- running complete incomplete
  command_line  TEXT,
  git           TEXT,
  host          TEXT,
  created_at    TEXT NOT NULL,
  completed_at  TEXT,
  PRIMARY KEY (experiment_id, name)
);

-- Who reviewed an experiment, and what answers they chose from.
CREATE TABLE reviewers (
  experiment_id TEXT NOT NULL,
  name          TEXT NOT NULL,
  options       TEXT,                    -- labels, scale, blind
  created_at    TEXT NOT NULL,
  PRIMARY KEY (experiment_id, name)
);

-- Where people are with a result; what they said is in scores, as scorer human/NAME.
CREATE TABLE reviews (
  experiment_id TEXT NOT NULL,
  position      BIGINT NOT NULL,         -- as in selections
  item_id       TEXT NOT NULL,
  trial         BIGINT NOT NULL,
  state         TEXT NOT NULL,           -- needs_review reviewed complete
  tags          TEXT,                    -- a JSON list
  updated_at    TEXT NOT NULL,
  updated_by    TEXT,
  PRIMARY KEY (experiment_id, position)
) /* clustered */;

DROP VIEW v_scores;
CREATE VIEW v_scores AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, s.experiment_id, s.position, s.item_id,
       s.trial, CASE WHEN s.step_id = '' THEN s.scorer_id ELSE s.step_id || '/' || s.scorer_id END AS scorer,
       s.scorer_id, s.step_id, s.score_set, s.source, s.status, s.score, s.label, s.passed, s.reason, s.error,
       s.metadata, s.latency_ms, s.scored_at
FROM scores s
JOIN experiments e ON e.id = s.experiment_id;

CREATE VIEW v_reviews AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, r.experiment_id, r.position, r.item_id,
       r.trial, r.state, r.tags, r.updated_at, r.updated_by
FROM reviews r
JOIN experiments e ON e.id = r.experiment_id;

DROP VIEW v_results;
CREATE VIEW v_results AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, r.experiment_id, r.position, r.item_id,
       r.item_version, r.trial, r.status, r.passed, i.input, i.ground_truth, r.output, r.error, i.metadata, i.tags,
       r.latency_ms, r.retry_count, r.usage, r.steps, r.trajectory, COALESCE(r.context, i.context) AS context,
       r.metadata AS target_metadata, r.output_repaired, r.interrupted_by, r.started_at, r.completed_at,
       r.cache_hits, r.cache_misses
FROM results r
JOIN experiments e ON e.id = r.experiment_id
LEFT JOIN selections s ON s.experiment_id = r.experiment_id AND s.position = r.position
LEFT JOIN items i ON i.item_key = s.item_key;
