-- The table of commands and options: it drives parsing, checks and help, so these cannot disagree.

local commands = {}

local store = { name = "store", value = "URL", help = "the store: a file or :memory: (default .evalua/evalua.db)" }
local where_item = { name = "where", value = "EXPR", help = "only items for which this Lua expression holds" }
local where_result = { name = "where", value = "EXPR", help = "only results for which this Lua expression holds" }

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

local function limit(help) return { name = "limit", value = "N", kind = "integer", min = 1, help = help } end

commands.run = {
  summary = "run suites, or a file of cases",
  arguments = "[SUITE|DIR|CASES]...",
  text = [[
SUITE is a Lua file (*.eval.lua); DIR stands for every *.eval.lua below it; without either, all below here.
CASES is a .jsonl or .csv file, run without a suite: --command is the target (without one the items' own `output` is
scored), -s names the scorers.]],
  options = {
    { name = "experiment", short = "e", value = "NAME", many = true, help = "only this one, or 'NAME[variant]'" },
    { name = "items", value = "a,b|@FILE", many = true, help = "only items with these ids (@FILE: one id per line)" },
    where_item,
    limit "only the first N items",
    { name = "failed-from", value = "REF", help = "only items that failed or did not pass in that run" },
    { name = "trials", value = "N", kind = "integer", min = 1, help = "times that each item runs" },
    { name = "sample", value = "N", kind = "integer", min = 1, help = "N items picked by --seed, in item order" },
    { name = "param", short = "p", value = "NAME=VALUE", kind = "pair", many = true,
      help = "a parameter of the suite" },
    { name = "max-concurrency", short = "j", value = "N", kind = "integer", min = 1, help = "items in flight" },
    { name = "workers", value = "N", kind = "integer", min = 1, help = "worker processes (default: cores)" },
    { name = "seed", value = "N", kind = "integer", help = "seed of math.random and --sample" },
    { name = "baseline", value = "REF|FILE", help = "gate on this run instead of the accepted one" },
    { name = "inconclusive", value = "pass|fail", choices = { "pass", "fail" },
      help = "what a rule without a verdict means (default pass)" },
    { name = "note", value = "TEXT", help = "kept with the experiment" },
    { name = "tag", value = "K=V", kind = "pair", many = true, help = "kept with the experiment" },
    { name = "dry-run", kind = "flag", help = "say what would run; change nothing" },
    run_format, file_output(".json .jsonl .xml .md .html .csv .prom"),
    { name = "command", value = "'ARGV'", help = "CASES: the program to run, split as a shell would, never in one" },
    { name = "scorer", short = "s", value = "SCORER", many = true,
      help = "CASES: a scorer such as exact or 'levenshtein{pass=0.8}'" },
    { name = "map", value = "FIELD=COLUMN,...", many = true,
      help = "CASES: columns of the fields: input=question,ground_truth=answer" },
    { name = "save", value = "X.eval.lua", help = "CASES: also write the suite that does the same" },
    store,
  },
}

-- resume and retry take the suite, its parameters and its selection from the run.
local function again_options()
  return {
    { name = "max-concurrency", short = "j", value = "N", kind = "integer", min = 1, help = "items in flight" },
    { name = "workers", value = "N", kind = "integer", min = 1, help = "worker processes (default: cores)" },
    { name = "inconclusive", value = "pass|fail", choices = { "pass", "fail" },
      help = "what a rule without a verdict means (default: as in the run)" },
    format("pretty", "json", "jsonl"), store,
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
    { name = "name", value = "NAME", help = "only experiments of this name" },
    limit "at most N, newest first (default 20 when printed pretty)",
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
    run_format, file_output(".json .jsonl .xml .md .html .csv .prom"), store,
  },
}

commands.compare = {
  summary = "compare runs item by item: improved, regressed, or cannot be told",
  arguments = "REF REF...",
  min = 2,
  text = "The first is the baseline; each other is compared with it.",
  options = {
    { name = "scorer", value = "ID", many = true, help = "only these scorers" },
    { name = "only", value = "regressed|improved|changed", choices = { "regressed", "improved", "changed" },
      help = "list only such items" },
    { name = "margin", value = "X", kind = "number", min = 0, help = "a loss up to this counts as no worse" },
    { name = "fail-on", value = "regressed|inconclusive", choices = { "regressed", "inconclusive" },
      help = "exit 1 when regressed; inconclusive: also exit 5 when it cannot be told" },
    limit "at most N items of each list (default 10 when printed pretty)",
    format("pretty", "json", "markdown", "html", "csv", "github"), file_output(".json .md .html .csv"),
    store,
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
    format("pretty", "json"), store,
  },
}

commands.dataset = {
  summary = "look at datasets: list, show, history, diff, alias",
  arguments = "list | show NAME[@VERSION] | history NAME [ITEM] | diff NAME V1 V2 | alias NAME [ALIAS VERSION]",
  min = 1, max = 4,
  options = {
    limit "show: at most N items (default 20 when printed pretty)",
    { name = "items", value = "a,b|@FILE", many = true, help = "show: only items with these ids" },
    where_item,
    { name = "full", kind = "flag", help = "do not cut long values" },
    format("pretty", "json", "jsonl"), store,
  },
}

commands.sql = {
  summary = "ask the store in SQL; nothing is changed",
  arguments = "QUERY|-",
  min = 1, max = 1,
  text = [[
QUERY is one statement that reads; `-` reads it from stdin. Three views are made for this; the tables are there as well:
  v_experiments  number id name variant status verdict dataset_name dataset_version target_id target_type total_items
                 ok_count failed_count skipped_count passed_count mean_latency_ms suite params tags metadata git host
                 seed summary created_at started_at completed_at
  v_results      experiment_number experiment_name variant experiment_id position item_id item_version trial status
                 passed input ground_truth output error metadata tags latency_ms retry_count usage steps trajectory
                 context target_metadata output_repaired interrupted_by started_at completed_at
  v_scores       experiment_number experiment_name variant experiment_id position item_id trial scorer scorer_id step_id
                 score_set source status score label passed reason error metadata latency_ms
Values of items and results are JSON text.

  evalua sql "select experiment_number, scorer, avg(score), count(score) from v_scores group by 1, 2"]],
  options = {
    limit "at most N rows (default 1000 when printed as a table)",
    format("table", "csv", "json", "jsonl"), store,
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
The first line of stdout is JSON with the port. GET /_mock answers with the numbers of requests.]],
  options = {
    { name = "port", value = "N", kind = "integer", min = 0, help = "the port (default: any that is free)" },
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
  "run", "resume", "retry", "show", "compare", "accept", "trend", "list", "dataset", "sql", "exec",
  "mock", "init", "help", "version",
}

return commands
