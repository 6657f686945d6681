-- A store as the first landed version (schema 1) left it: two runs of three items. Read with: sqlite3 FILE <this
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);
INSERT INTO meta VALUES('schema_version','1');
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
INSERT INTO datasets VALUES('01a1fc7b-c5e6-76d1-a456-b33d74eb9339','small',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'/home/user/project/upper.eval.lua',2,'2026-11-21T05:02:12.454Z','2026-11-21T05:02:12.472Z',NULL);
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
INSERT INTO dataset_versions VALUES('01a1fc7b-c5e6-76d1-a456-b33d74eb9339',1,'001f1adb9612854fe49872c980f80ac283acfc6fc7e957751e6081f1acf0fa86',3,3,0,0,'from upper.eval.lua','2026-11-21T05:02:12.454Z');
INSERT INTO dataset_versions VALUES('01a1fc7b-c5e6-76d1-a456-b33d74eb9339',2,'fe1418c1088628efc78423404b90f787f098067a27d017f8bbbc4f36c98cab02',3,0,1,0,'from upper.eval.lua','2026-11-21T05:02:12.472Z');
CREATE TABLE dataset_aliases (
  dataset_id TEXT NOT NULL,
  name       TEXT NOT NULL,
  version    BIGINT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (dataset_id, name)
);
CREATE TABLE items (
  item_key            INTEGER PRIMARY KEY,
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
INSERT INTO items VALUES(1,'01a1fc7b-c5e6-76d1-a456-b33d74eb9339','a',1,NULL,NULL,16777216,0,'73e599af8e98d9a13c8cf2bf3f0cf9cd3d2ff32f4475e787e96a480af51d478f','"one"','"ONE"',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(2,'01a1fc7b-c5e6-76d1-a456-b33d74eb9339','b',1,2,1,33554432,0,'4a5d09ef0c15459c30680aae80ee81aa6b625eabf4ba36fa1fcc7ea7a52973de','"two"','"two"',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(3,'01a1fc7b-c5e6-76d1-a456-b33d74eb9339','c',1,NULL,NULL,50331648,0,'10bd79338580e8d438de656c9708d4875b63415707ebe447e6263d121f3e8007','"boom"','"x"',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(4,'01a1fc7b-c5e6-76d1-a456-b33d74eb9339','b',2,NULL,NULL,33554432,0,'28d7658fec91570daa8c89577085a8c300c50be7e36563d97f56abe55efd6039','"two"','"TWO"',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO experiments VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',1,'upper',NULL,NULL,NULL,NULL,'upper.eval.lua','evalua run','01a1fc7b-c5e6-76d1-a456-b33d74eb9339','small',1,'001f1adb9612854fe49872c980f80ac283acfc6fc7e957751e6081f1acf0fa86','function','target','7ad3ddd9d7c28e8e1807b607ffcd39901b4b9e3a69dabf9e8cc50ab75342c4c2','[{"description":"The output is the ground truth: strings as they are, other values by identity text (1 is 1.0, the order of keys does not matter). Nothing is trimmed or folded unless asked.","digest":"13b292431f26059d168e433d42bfef12b4cb035a7d09f35223a9d3431350b7e5","higher_is_better":true,"id":"exact","name":"exact"}]',NULL,NULL,'{"code":{"/home/user/project/upper.eval.lua":"963c4dd2126bd4f0d8a12df663829750798575149a577c934b34fc6c8955ada6"},"cwd":"/home/user/project","max_concurrency":5,"max_retries":0,"suite_path":"/home/user/project/upper.eval.lua","target_digest":"7ad3ddd9d7c28e8e1807b607ffcd39901b4b9e3a69dabf9e8cc50ab75342c4c2","tolerance":0}',NULL,NULL,NULL,'host',0,3,'completed','error','{"completed_at":"2026-11-21T05:02:12.459Z","completed_with_errors":true,"dataset":{"digest":"001f1adb9612854fe49872c980f80ac283acfc6fc7e957751e6081f1acf0fa86","name":"small","version":1},"experiment_id":"01a1fc7b-c5e6-76d2-9691-188c42447624","failed_count":1,"latency_ms":{"max":0.052855998277664185,"mean":0.0231383324911197,"p50":0.0091559998691082,"p95":0.048485998436808585,"p99":0.051981998309493065},"name":"upper","number":1,"passed_count":1,"pending_count":0,"reason":"1 of 3 items failed, none are tolerated","rules":{},"rules_declared":0,"scorers":{"exact":{"binary":true,"bounds":[0.3333333333333333,0.6666666666666666],"ci":[0.09453120573423074,0.9054687942657693],"higher_is_better":true,"histogram":{"counts":[1,0,0,0,0,0,0,0,0,1],"high":1.0,"low":0.0},"max":1.0,"mean":0.5,"min":0.0,"n":2,"n_error":0,"n_failed":1,"n_pending":0,"n_skipped":0,"n_unscored":0,"n_without":0,"name":"exact","not_passed":1,"p50":0.5,"pass_rate":0.3333333333333333,"passed":1,"scorer_id":"exact","stderr":0.5}},"seed":0,"skipped_count":0,"started_at":"2026-11-21T05:02:12.454Z","status":"completed","succeeded_count":2,"suite":"upper.eval.lua","target":{"id":"target","type":"function","version":"7ad3ddd9d7c28e8e1807b607ffcd39901b4b9e3a69dabf9e8cc50ab75342c4c2"},"total_items":3,"usage":null,"variant":null,"verdict":"error"}','2026-11-21T05:02:12.454Z','2026-11-21T05:02:12.454Z','2026-11-21T05:02:12.459Z',NULL);
INSERT INTO experiments VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',2,'upper',NULL,NULL,NULL,NULL,'upper.eval.lua','evalua run','01a1fc7b-c5e6-76d1-a456-b33d74eb9339','small',2,'fe1418c1088628efc78423404b90f787f098067a27d017f8bbbc4f36c98cab02','function','target','7ad3ddd9d7c28e8e1807b607ffcd39901b4b9e3a69dabf9e8cc50ab75342c4c2','[{"description":"The output is the ground truth: strings as they are, other values by identity text (1 is 1.0, the order of keys does not matter). Nothing is trimmed or folded unless asked.","digest":"13b292431f26059d168e433d42bfef12b4cb035a7d09f35223a9d3431350b7e5","higher_is_better":true,"id":"exact","name":"exact"}]',NULL,NULL,'{"code":{"/home/user/project/upper.eval.lua":"db9eb3a12b378b1928f90edc7d3ed315f16e77ff6da5094f5f56ed5a76116d21"},"cwd":"/home/user/project","max_concurrency":5,"max_retries":0,"suite_path":"/home/user/project/upper.eval.lua","target_digest":"7ad3ddd9d7c28e8e1807b607ffcd39901b4b9e3a69dabf9e8cc50ab75342c4c2","tolerance":0}',NULL,NULL,NULL,'host',0,3,'completed','error','{"comparison":{"improvements":[],"new_failure_count":0,"new_failures":[],"paired":3,"regressions":[],"scorers":{"exact":{"alpha":0.05,"baseline_mean":1.0,"candidate_mean":1.0,"ci":null,"delta":0.0,"effect_size":null,"higher_is_better":true,"improved":0,"margin":0,"mde":null,"n":1,"n_one_sided":1,"name":"exact","p_value":1.0,"regressed":0,"same":1,"scorer_id":"exact","test":"mcnemar","verdict":"inconclusive"}},"verdict":"inconclusive","warnings":["dataset small: version 1 against version 2 (0 added, 0 removed, 1 changed)","1 item (b) changed between the versions; left out of the statistics","the target failed on 1 of 3 items of the baseline; they have no scores","the target failed on 1 of 3 items of the candidate; they have no scores","scorer exact: 1 of 2 common items have no score in both runs"]},"completed_at":"2026-11-21T05:02:12.477Z","completed_with_errors":true,"dataset":{"digest":"fe1418c1088628efc78423404b90f787f098067a27d017f8bbbc4f36c98cab02","name":"small","version":2},"experiment_id":"01a1fc7b-c5f9-7189-b004-cc282ccb4578","failed_count":1,"latency_ms":{"max":0.06124800071120262,"mean":0.0250450000166893,"p50":0.007186999544501305,"p95":0.055841900594532486,"p99":0.06016678068786859},"name":"upper","number":2,"passed_count":2,"pending_count":0,"previous":{"completed_at":"2026-11-21T05:02:12.459Z","experiment_id":"01a1fc7b-c5e6-76d2-9691-188c42447624","name":"upper","number":1,"source":"previous","text":"upper #1"},"reason":"1 of 3 items failed, none are tolerated","rules":{},"rules_declared":0,"scorers":{"exact":{"binary":true,"bounds":[0.6666666666666666,1.0],"ci":[0.34238022750665303,1.0],"higher_is_better":true,"histogram":{"counts":[0,0,0,0,0,0,0,0,0,2],"high":1.0,"low":0.0},"max":1.0,"mean":1.0,"min":1.0,"n":2,"n_error":0,"n_failed":1,"n_pending":0,"n_skipped":0,"n_unscored":0,"n_without":0,"name":"exact","not_passed":0,"p50":1.0,"pass_rate":0.6666666666666666,"passed":2,"scorer_id":"exact","stderr":0.0}},"seed":0,"skipped_count":0,"started_at":"2026-11-21T05:02:12.473Z","status":"completed","succeeded_count":2,"suite":"upper.eval.lua","target":{"id":"target","type":"function","version":"7ad3ddd9d7c28e8e1807b607ffcd39901b4b9e3a69dabf9e8cc50ab75342c4c2"},"total_items":3,"usage":null,"variant":null,"verdict":"error"}','2026-11-21T05:02:12.473Z','2026-11-21T05:02:12.473Z','2026-11-21T05:02:12.477Z',NULL);
CREATE TABLE selections (
  experiment_id TEXT NOT NULL,
  position      BIGINT NOT NULL,         -- 1, 2, 3 ... in item order; the trials of an item follow each other
  item_id       TEXT NOT NULL,
  item_version  BIGINT NOT NULL,         -- valid_from of the item's row
  trial         BIGINT NOT NULL,
  item_key      BIGINT NOT NULL,         -- the item's row
  PRIMARY KEY (experiment_id, position)
) WITHOUT ROWID;
INSERT INTO selections VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',1,'a',1,1,1);
INSERT INTO selections VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',2,'b',1,1,2);
INSERT INTO selections VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',3,'c',1,1,3);
INSERT INTO selections VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',1,'a',1,1,1);
INSERT INTO selections VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',2,'b',2,1,4);
INSERT INTO selections VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',3,'c',1,1,3);
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
) WITHOUT ROWID;
INSERT INTO results VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',1,'a',1,1,'ok',1,'"ONE"',NULL,'2026-11-21T05:02:12.457Z','2026-11-21T05:02:12.457Z',0.0091559998691082000732,0,NULL,NULL,NULL,NULL,NULL,0,0);
INSERT INTO results VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',2,'b',1,1,'ok',0,'"TWO"',NULL,'2026-11-21T05:02:12.458Z','2026-11-21T05:02:12.458Z',0.0074029993265867233276,0,NULL,NULL,NULL,NULL,NULL,0,0);
INSERT INTO results VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',3,'c',1,1,'error',0,NULL,'{"code":"target_error","message":"upper.eval.lua:10: no such word","stack":"\tupper.eval.lua:10: in function <upper.eval.lua:9>"}','2026-11-21T05:02:12.457Z','2026-11-21T05:02:12.457Z',0.05285599827766418457,0,NULL,NULL,NULL,NULL,NULL,0,0);
INSERT INTO results VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',1,'a',1,1,'ok',1,'"ONE"',NULL,'2026-11-21T05:02:12.475Z','2026-11-21T05:02:12.475Z',0.0071869995445013046264,0,NULL,NULL,NULL,NULL,NULL,0,0);
INSERT INTO results VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',2,'b',2,1,'ok',1,'"TWO"',NULL,'2026-11-21T05:02:12.476Z','2026-11-21T05:02:12.476Z',0.0066999997943639755249,0,NULL,NULL,NULL,NULL,NULL,0,0);
INSERT INTO results VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',3,'c',1,1,'error',0,NULL,'{"code":"target_error","message":"upper.eval.lua:10: no such word","stack":"\tupper.eval.lua:10: in function <upper.eval.lua:9>"}','2026-11-21T05:02:12.475Z','2026-11-21T05:02:12.475Z',0.061248000711202621459,0,NULL,NULL,NULL,NULL,NULL,0,0);
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
) WITHOUT ROWID;
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
) WITHOUT ROWID;
INSERT INTO scores VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',1,'exact','','','a',1,'exact','ok',1.0,NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO scores VALUES('01a1fc7b-c5e6-76d2-9691-188c42447624',2,'exact','','','b',1,'exact','ok',0.0,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO scores VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',1,'exact','','','a',1,'exact','ok',1.0,NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO scores VALUES('01a1fc7b-c5f9-7189-b004-cc282ccb4578',2,'exact','','','b',1,'exact','ok',1.0,NULL,1,NULL,NULL,NULL,NULL,NULL);
CREATE UNIQUE INDEX datasets_by_name ON datasets (name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX items_by_id ON items (dataset_id, item_id, valid_from);
CREATE INDEX items_open ON items (dataset_id, position) WHERE valid_to IS NULL;
CREATE INDEX items_open_from ON items (dataset_id, valid_from, position) WHERE valid_to IS NULL;
CREATE INDEX items_span_from ON items (dataset_id, span_node, valid_from, valid_to, position)
  WHERE span_node IS NOT NULL;
CREATE INDEX items_span_to ON items (dataset_id, span_node, valid_to, valid_from, position)
  WHERE span_node IS NOT NULL;
CREATE UNIQUE INDEX experiments_by_number ON experiments (number);
CREATE INDEX experiments_by_name ON experiments (name, number);
CREATE INDEX results_by_item ON results (experiment_id, item_id, trial);
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
CREATE VIEW v_results AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, r.experiment_id, r.position, r.item_id,
       r.item_version, r.trial, r.status, r.passed, i.input, i.ground_truth, r.output, r.error, i.metadata, i.tags,
       r.latency_ms, r.retry_count, r.usage, r.steps, r.trajectory, COALESCE(r.context, i.context) AS context,
       r.metadata AS target_metadata, r.output_repaired, r.interrupted_by, r.started_at, r.completed_at
FROM results r
JOIN experiments e ON e.id = r.experiment_id
LEFT JOIN selections s ON s.experiment_id = r.experiment_id AND s.position = r.position
LEFT JOIN items i ON i.item_key = s.item_key;
CREATE VIEW v_scores AS
SELECT e.number AS experiment_number, e.name AS experiment_name, e.variant, s.experiment_id, s.position, s.item_id,
       s.trial, CASE WHEN s.step_id = '' THEN s.scorer_id ELSE s.step_id || '/' || s.scorer_id END AS scorer,
       s.scorer_id, s.step_id, s.score_set, s.source, s.status, s.score, s.label, s.passed, s.reason, s.error,
       s.metadata, s.latency_ms
FROM scores s
JOIN experiments e ON e.id = s.experiment_id;
COMMIT;
PRAGMA application_id=1163283521;
PRAGMA user_version=1;
