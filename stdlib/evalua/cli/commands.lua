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
    { name = "sample", value = "N", kind = "integer", min = 1, help = "N items picked by --seed, in item order" },
    { name = "param", short = "p", value = "NAME=VALUE", kind = "pair", many = true,
      help = "a parameter of the suite" },
    { name = "max-concurrency", short = "j", value = "N", kind = "integer", min = 1, help = "items in flight" },
    { name = "workers", value = "N", kind = "integer", min = 1, help = "worker processes (default: cores)" },
    { name = "seed", value = "N", kind = "integer", help = "seed of math.random and --sample" },
    { name = "baseline", value = "REF", help = "compare with this run and gate on it" },
    { name = "inconclusive", value = "pass|fail", choices = { "pass", "fail" },
      help = "what a rule without a verdict means (default pass)" },
    { name = "note", value = "TEXT", help = "kept with the experiment" },
    { name = "tag", value = "K=V", kind = "pair", many = true, help = "kept with the experiment" },
    { name = "dry-run", kind = "flag", help = "say what would run; change nothing" },
    format("pretty", "json", "jsonl"),
    { name = "output", short = "o", value = "FILE", many = true, help = "also write here, by ending: .json .jsonl" },
    { name = "command", value = "'ARGV'", help = "CASES: the program to run, split as a shell would, never in one" },
    { name = "scorer", short = "s", value = "SCORER", many = true,
      help = "CASES: a scorer such as exact or 'levenshtein{pass=0.8}'" },
    { name = "map", value = "FIELD=COLUMN,...", many = true,
      help = "CASES: columns of the fields: input=question,ground_truth=answer" },
    { name = "save", value = "X.eval.lua", help = "CASES: also write the suite that does the same" },
    store,
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
    { name = "full", kind = "flag", help = "do not cut long values" },
    format("pretty", "json", "jsonl"), store,
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

commands.init = {
  summary = "write a suite that runs, and annotations for editors",
  arguments = "[DIR]",
  max = 1,
  text = "Files that exist are left as they are.",
  options = {},
}

commands.help = { summary = "explain a command or a topic", arguments = "[COMMAND|TOPIC]", max = 1, options = {} }
commands.version = { summary = "print the version", max = 0, options = { format("pretty", "json") } }

commands.order = { "run", "show", "compare", "list", "dataset", "exec", "init", "help", "version" }

return commands
