-- The table of commands and options: it drives parsing, checks and help, so these cannot disagree.

local commands = {}

local store = { name = "store", value = "URL", help = "the store: a file or :memory: (default .evalua/evalua.db)" }
local store_timeout = { name = "store-timeout", value = "DURATION",
  help = "how long to wait where another process has locked the store (default 30s)" }
local CONCURRENCY_MAX = 100000 -- as of `max_concurrency` in a suite

local concurrency = { name = "max-concurrency", short = "j", value = "N", kind = "integer", min = 1,
  max = CONCURRENCY_MAX, help = "items in flight" }
local worker_count = { name = "workers", value = "N", kind = "integer", min = 1, max = CONCURRENCY_MAX,
  help = "worker processes (default: cores)" }
local where_item = { name = "where", value = "EXPR", help = "only items for which this Lua expression holds" }
local where_result = { name = "where", value = "EXPR", help = "only results for which this Lua expression holds" }

local score_set = { name = "set", value = "NAME", help = "scores of this score set (REF@NAME), not the run's own" }

local function format(...)
  local choices = { ... }
  return { name = "format", value = table.concat(choices, "|"), choices = choices, help = "how to print (default "
    .. choices[1] .. ")" }
end

local run_format = format("pretty", "json", "jsonl", "junit", "markdown", "html", "csv", "github", "gitlab",
  "openmetrics")

local function file_output(endings)
  return { name = "output", short = "o", value = "FILE", many = true, help = "also write here, by ending: " .. endings }
end

local cache_mode = { name = "cache", value = "off|use|refresh|replay", choices = { "off", "use", "refresh", "replay" },
  help = "answers of requests: use them and keep new ones, only keep, or only use (a miss is an error)" }
local cache_file = { name = "cache-file", value = "FILE",
  help = "the cache: a database, or a cassette FILE.jsonl (default .evalua/cache.db)" }

local function limit(help) return { name = "limit", value = "N", kind = "integer", min = 1, help = help } end

-- An option of these actions of the command alone (options.check_action).
local function only_with(actions, option)
  option.actions = actions
  return option
end

commands.run = {
  summary = "run suites, or a file of cases",
  arguments = "[SUITE|DIR|CASES]...",
  text = [[
SUITE is a Lua file (*.eval.lua); DIR stands for every *.eval.lua below it; without either, all below here.
CASES is a .jsonl or .csv file, run without a suite: --command is the target (without one the items' own `output` is
scored), -s names the scorers.]],
  options = {
    { name = "experiment", short = "e", value = "NAME", many = true,
      help = "only this one, or 'NAME[variant]'; in NAME * stands for any letters, ? for one" },
    { name = "items", value = "a,b|@FILE", many = true, help = "only items with these ids (@FILE: one id per line)" },
    where_item,
    limit "only the first N items",
    { name = "failed-from", value = "REF", help = "only items that failed or did not pass in that run" },
    { name = "trials", value = "N", kind = "integer", min = 1, help = "times that each item runs" },
    { name = "sample", value = "N", kind = "integer", min = 1, help = "N items picked by --seed, in item order" },
    { name = "param", short = "p", value = "NAME=VALUE", kind = "pair", many = true,
      help = "a parameter of the suite" },
    concurrency, worker_count,
    { name = "seed", value = "N", kind = "integer", help = "seed of math.random and --sample" },
    cache_mode, cache_file,
    { name = "baseline", value = "REF|FILE", help = "gate on this run instead of the accepted one" },
    { name = "inconclusive", value = "pass|fail", choices = { "pass", "fail" },
      help = "what a rule without a verdict means (default pass)" },
    { name = "note", value = "TEXT", help = "kept with the experiment" },
    { name = "tag", value = "K=V", kind = "pair", many = true, help = "kept with the experiment" },
    { name = "dry-run", kind = "flag", help = "say what would run; change nothing" },
    { name = "noise", value = "[=N]", kind = "integer", alone = 2,
      help = "run N times (default 2), gate nothing, and say how far runs of the same thing lie apart" },
    { name = "watch", kind = "flag", help = "run again whenever a file changes that the run has read" },
    run_format, file_output(".json .jsonl .xml .md .html .csv .prom .gitlab.json"),
    { name = "command", value = "'ARGV'", help = "CASES: the program to run, split as a shell would, never in one" },
    { name = "scorer", short = "s", value = "SCORER", many = true,
      help = "CASES: a scorer such as exact or 'levenshtein{pass=0.8}'" },
    { name = "map", value = "FIELD=COLUMN,...", many = true,
      help = "CASES: columns of the fields: input=question,ground_truth=answer" },
    { name = "save", value = "X.eval.lua", help = "CASES: also write the suite that does the same" },
    store, store_timeout,
  },
}

-- resume and retry take the suite, its parameters and its selection from the run.
local function again_options()
  return {
    concurrency, worker_count,
    { name = "inconclusive", value = "pass|fail", choices = { "pass", "fail" },
      help = "what a rule without a verdict means (default: as in the run)" },
    { name = "baseline", value = "REF|FILE", help = "gate on this run (default: as in the run)" },
    cache_mode, cache_file, run_format, file_output(".json .jsonl .xml .md .html .csv .prom .gitlab.json"), store,
    store_timeout,
  }
end

commands.resume = {
  summary = "finish a run that was interrupted: only what has no result yet runs",
  arguments = "REF",
  min = 1, max = 1,
  text = [[
The run keeps its number, its version of the dataset, its selection and its parameters. It is refused where the target,
its declared version or the scorers are others than they were; changed code of the suite is said aloud.]],
  options = again_options(),
}

commands.retry = {
  summary = "run again what failed in a run: items whose target or scorer failed",
  arguments = "REF",
  min = 1, max = 1,
  text = [[
A result is replaced when its new one is there, not before; the error of the old one is kept as an attempt. What never
ran is for `evalua resume`. The same changes are refused or said aloud as there.]],
  options = again_options(),
}

commands.score = {
  summary = "score the stored outputs of a run again, beside its own scores",
  arguments = "REF SUITE",
  min = 2, max = 2,
  text = [[
The scorers of SUITE score what the run REF stored; no target runs. The scores are a score set of the run, which
`show`, `compare` and `--baseline` take as REF@SET: evalua compare 12 12@rescored. Outputs of targets that failed are
scored by scorers with `on_error` only. An interrupted set is completed by the same command.]],
  options = {
    { name = "experiment", short = "e", value = "NAME", help = "whose scorers (default: the run's experiment)" },
    { name = "scorer", value = "ID", many = true, help = "only these scorers" },
    { name = "set", value = "NAME", help = "name of the score set (default rescored, rescored-2 ...)" },
    { name = "param", short = "p", value = "NAME=VALUE", kind = "pair", many = true,
      help = "a parameter of the suite (default: as in the run)" },
    { name = "max-concurrency", short = "j", value = "N", kind = "integer", min = 1, max = CONCURRENCY_MAX,
      help = "results in flight" },
    worker_count,
    format("pretty", "json"), store,
  },
}

-- Actions of review that choose among the results.
local seen = { "walk", "queue", "export" }

commands.review = {
  summary = "walk through results and say what you think of them",
  arguments = "REF --as NAME | REF --report | export REF [-o FILE.csv] | import REF FILE.csv --as NAME",
  min = 1, max = 3,
  text = [[
Shows one result after the other; each answer is stored at once as a score of human/NAME, beside those of the scorers
and never over them. Keys: a accept, r reject, s score, l label, c comment, t tag, d done, m needs review, k skip,
b back, u undo, v view all, q quit; on a pipe each line is one command, such as `reject too long`.
A result is in state needs_review (in the queue), reviewed (somebody answered) or complete. --only failed puts what it
shows into the queue; --queue does so without a walk. At the end, and with --report: how far reviewers agree with each
other and with the scorers. export writes CSV; import reads it back, and nothing of a file with a wrong line.]],
  options = {
    { name = "as", value = "NAME", help = "who reviews" },
    { name = "label", value = "good,bad", actions = { "walk", "import" },
      help = "answers are these labels; of two the first passes" },
    { name = "scale", value = "1..5", actions = { "walk", "import" }, help = "answers are scores in this range" },
    { name = "blind", kind = "flag", actions = { "walk", "export" },
      help = "hide the scores of scorers and of other reviewers" },
    { name = "only", value = "STATE", actions = seen,
      choices = { "failed", "passed", "unreviewed", "needs_review", "reviewed",
      "complete" }, help = "failed passed unreviewed (by you) needs_review reviewed complete" },
    { name = "tag", value = "TAG", many = true, actions = seen,
      help = "only results with this review tag; with --queue: tag them" },
    { name = "items", value = "a,b|@FILE", many = true, actions = seen, help = "only items with these ids" },
    { name = "where", value = "EXPR", actions = seen, help = where_result.help },
    { name = "sample", value = "N", kind = "integer", min = 1, actions = seen,
      help = "N results picked by --seed, in item order" },
    { name = "seed", value = "N", kind = "integer", actions = seen, help = "of --sample (default 0)" },
    { name = "queue", kind = "flag", help = "mark the results as needs_review and leave" },
    { name = "report", kind = "flag", help = "print the state of the review and the agreement, and leave" },
    { name = "output", short = "o", value = "FILE", actions = { "export" },
      help = "export: write here instead of stdout" },
    { name = "full", kind = "flag", help = "do not cut long values" },
    format("pretty", "json"), store,
  },
}

commands.exec = {
  summary = "run any Lua script with evalua's libraries",
  arguments = "SCRIPT [ARGUMENT]...",
  min = 1, script_arguments = true,
  text = "The script gets the arguments as `...`; an integer that it returns is the exit code.",
  options = { store },
}

commands.list = {
  summary = "list experiments, datasets or suites",
  arguments = "[experiments|datasets|suites]",
  max = 1,
  options = {
    { name = "name", value = "NAME", actions = { "experiments", "datasets" }, help = "only what has this name" },
    only_with({ "experiments", "datasets" }, limit
      "at most N; experiments are newest first (default 20 of them when printed pretty)"),
    format("pretty", "json"), store,
  },
}

commands.show = {
  summary = "show an experiment, or one of its items in full",
  arguments = "[REF] [ITEM]",
  max = 2,
  text = "REF is latest where it is not given; `evalua help ref` lists its forms.",
  options = {
    { name = "failed", kind = "flag", help = "only results that failed or did not pass" },
    where_result,
    { name = "sort", value = "[-]SCORER", help = "by this scorer, worst first (-SCORER: best first)" },
    limit "at most N results (default 20 when printed pretty)",
    { name = "by", value = "FIELD", many = true, help = "means by the values of a field, such as metadata.lang" },
    { name = "full", kind = "flag", help = "do not cut long values" },
    score_set,
    run_format, file_output(".json .jsonl .xml .md .html .csv .prom .gitlab.json"), store,
  },
}

commands.compare = {
  summary = "compare runs item by item: improved, regressed, or cannot be told",
  arguments = "REF REF...",
  min = 1,
  text = [[
The first is the baseline; each other is compared with it. One REF and --set NAME: its own scores against that set's.
One REF alone: an experiment with variants, the newest run of each against the first.]],
  options = {
    { name = "scorer", value = "ID", many = true, help = "only these scorers and metrics" },
    { name = "by", value = "FIELD", many = true, help = "also by the values of a field, such as metadata.lang" },
    { name = "where", value = "EXPR", help = "only items whose result in the compared run satisfies this expression" },
    { name = "cluster", value = "FIELD", help = "errors robust to what items with equal FIELD share; none: "
      .. "independent (default as the experiment says)" },
    { name = "confidence", value = "C", kind = "number",
      help = "of the intervals, with tests at 1 - C (default 0.95)" },
    { name = "across-datasets", kind = "flag", help = "compare runs over different datasets, by item id alone" },
    { name = "only", value = "regressed|improved|changed", choices = { "regressed", "improved", "changed" },
      help = "list only such items" },
    { name = "margin", value = "X", kind = "number", min = 0, help = "a loss up to this counts as no worse" },
    { name = "fail-on", value = "regressed|inconclusive", choices = { "regressed", "inconclusive" },
      help = "exit 1 when regressed; inconclusive: also exit 5 when it cannot be told" },
    limit "at most N items of each list (default 10 when printed pretty)",
    score_set,
    format("pretty", "json", "markdown", "html", "csv", "github"), file_output(".json .md .html .csv"),
    store,
  },
}

commands.plan = {
  summary = "say what difference a run's dataset can detect, and what a wanted one needs",
  arguments = "[REF]",
  max = 1,
  text = [[
Two runs over the same items are compared in pairs: what can be found depends on how much single items differ between
them. That is taken from the last comparison of the run, or assumed where there is none; how much a target differs from
itself from the run's trials, or from `evalua run --noise`.]],
  options = {
    { name = "detect", value = "X", kind = "number", help = "the difference wanted, such as 0.02 (default: some)" },
    { name = "power", value = "P", kind = "number", help = "the chance to find it (default 0.8)" },
    { name = "alpha", value = "A", kind = "number", help = "the chance of one where there is none (default 0.05)" },
    { name = "scorer", value = "ID", many = true, help = "only these scorers" },
    format("pretty", "json"), store,
  },
}

commands.accept = {
  summary = "make a run the baseline that later runs are compared with",
  arguments = "[REF]",
  max = 1,
  text = [[
Writes EXPERIMENT.baseline.json beside the suite, to be kept in git, and remembers the run in the store. NAME stands for
the newest run of each variant of that experiment, no REF for those of the newest run's.
What gates a run, in this order: --baseline, the experiment's `baseline`, that file, the run accepted last in this
store. Nothing else does.]],
  options = {
    { name = "output", short = "o", value = "FILE", help = "write the file here instead" },
    { name = "partial", kind = "flag", help = "accept a run over a selection of the items" },
    store,
  },
}

commands.trend = {
  summary = "how the means of an experiment went from run to run",
  arguments = "NAME",
  min = 1, max = 1,
  text = "NAME is an experiment, or 'NAME[variant]'; each variant is drawn by itself. Partial runs are marked.",
  options = {
    { name = "limit", short = "n", value = "N", kind = "integer", min = 1, help = "the last N runs (default 20)" },
    { name = "scorer", value = "ID", many = true, help = "only these scorers" },
    format("pretty", "json", "markdown", "html", "csv"), file_output(".json .md .html .csv"), store,
  },
}

commands.dataset = {
  summary = "look at datasets: list, show, history, diff, alias",
  arguments = "list | show NAME[@VERSION] | history NAME [ITEM] | diff NAME V1 V2 | alias NAME [ALIAS VERSION]",
  min = 1, max = 4,
  options = {
    only_with({ "show", "diff" }, limit "show, diff: at most N items (default 20 when printed pretty)"),
    { name = "items", value = "a,b|@FILE", many = true, actions = { "show" },
      help = "show: only items with these ids" },
    { name = "where", value = "EXPR", actions = { "show" }, help = "show: " .. where_item.help },
    { name = "full", kind = "flag", help = "do not cut long values" },
    format("pretty", "json", "jsonl"), store,
  },
}

commands.sql = {
  summary = "ask the store in SQL; nothing is changed",
  arguments = "QUERY|-",
  min = 1, max = 1,
  text = [[
QUERY is one statement that reads; `-` reads it from stdin. Four views are made for this; the tables are there as well:
  v_experiments  number id name variant status verdict dataset_name dataset_version target_id target_type total_items
                 ok_count failed_count skipped_count passed_count mean_latency_ms suite params tags metadata git host
                 seed summary created_at started_at completed_at
  v_results      experiment_number experiment_name variant experiment_id position item_id item_version trial status
                 passed input ground_truth output error metadata tags latency_ms retry_count usage steps trajectory
                 context target_metadata output_repaired interrupted_by started_at completed_at
  v_scores       experiment_number experiment_name variant experiment_id position item_id trial scorer scorer_id step_id
                 score_set source status score label passed reason error metadata latency_ms scored_at
  v_reviews      experiment_number experiment_name variant experiment_id position item_id trial state tags updated_at
                 updated_by
Values of items and results are JSON text.

  evalua sql "select experiment_number, scorer, avg(score), count(score) from v_scores group by 1, 2"]],
  options = {
    limit "at most N rows (default 1000 when printed as a table)",
    format("table", "csv", "json", "jsonl"), store,
  },
}

commands.cache = {
  summary = "look at the answers that are kept, or exchange them with a cassette",
  arguments = "list [TARGET] | clear [TARGET] | export FILE [TARGET] | import FILE",
  min = 1, max = 3,
  text = [[
`evalua run --cache use` keeps the answers of requests, and uses them in the next run. A cassette holds them as JSON
lines, one an entry, in a stable order, to be committed: `export` writes one (`-` is stdout), `import` reads one, all of
it or, where a line is wrong, nothing. With `evalua run --cache replay` nothing is sent: CI needs no keys.
TARGET: only the entries of this target (or scorer).]],
  options = {
    { name = "older-than", value = "DURATION", actions = { "clear" },
      help = "clear: only entries older than this, such as 30d or 12h" },
    only_with({ "list" }, limit "list: at most N entries (default 20 when printed pretty)"),
    { name = "json", kind = "flag", actions = { "list" }, help = "list: the same as --format json" },
    cache_file, format("pretty", "json", "jsonl"), store,
  },
}

commands.mock = {
  summary = "serve answers that a Lua script says, to try targets without a network or a key",
  arguments = "SCRIPT",
  min = 1, max = 1,
  text = [[
The script returns routes: { ["POST /chat"] = { json = { answer = 42 } } }. A route is a reply, a list of replies (one
for each request; the last one stays) or function(request) -> reply. A reply has: status, headers, body | json | file |
stream = { "text", 100, "text" } (numbers are pauses in ms) | fill = bytes, delay, drip, cut = bytes, silent = true.
The first line of stdout is JSON with the port. GET /_mock answers with counts: all requests, those of each route, the
most at once, those in flight, and clients that left before their answer was complete.]],
  options = {
    { name = "port", value = "N", kind = "integer", min = 0, max = 65535,
      help = "the port (default: any that is free)" },
    { name = "host", value = "ADDRESS", help = "the address to listen on (default 127.0.0.1: this machine alone)" },
  },
}

commands.init = {
  summary = "write a suite that runs, and annotations for editors",
  arguments = "[DIR]",
  max = 1,
  text = "Files that exist are left as they are.",
  options = {},
}

commands.help = { summary = "explain a command or a topic", arguments = "[COMMAND|TOPIC]", max = 1, options = {} }
commands.version = { summary = "print the version", max = 0, options = { format("pretty", "json") } }

commands.order = {
  "run", "resume", "retry", "score", "show", "review", "compare", "plan", "accept", "trend", "list", "dataset", "sql",
  "cache", "exec",
  "mock", "init", "help", "version",
}

return commands
