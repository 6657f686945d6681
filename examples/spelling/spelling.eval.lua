-- Which spelling checker corrects more? hunspell and aspell against misspellings that people really made.
-- Run it:  evalua run examples/spelling            (about 5,000 words)
--          evalua run examples/spelling -p size=all  (all 37,000: some ten minutes, hunspell takes 20 ms a word)

local eval = require "evalua"
local codespell = require "codespell"
local ispell = require "ispell"

local size = eval.param {
  name = "size",
  default = "sample",
  enum = { "sample", "all" },
  description = "sample: a fixed part of them, some 5,000; all: every word",
}
local dictionary = eval.param { name = "dictionary", default = "", description = "path of codespell's dictionary.txt" }

local share = size == "all" and 1 or 0.14
local path = codespell.find(dictionary)

eval.dataset {
  name = "misspellings-" .. size,
  description = "codespell's pairs of a misspelling and its accepted corrections",
  items = function() return codespell.items(path, share) end,
}

-- Both speak ispell's line protocol and stay alive: each process answers word after word.
local function speller(id, argv)
  return eval.command {
    id = id,
    argv = argv,
    mode = "persistent",
    env = { LC_ALL = "C.UTF-8" },
    ready = ispell.ready,
    request = ispell.request,
    response = ispell.response,
  }
end

local spellers = {
  hunspell = speller("hunspell", { "hunspell", "-a", "-d", "en_US" }),
  aspell = speller("aspell", { "aspell", "-a", "--lang=en_US", "--encoding=utf-8" }),
}

-- The rank of the best suggestion that is an accepted correction, or nil.
local function rank_of_right(run)
  for rank, suggestion in ipairs(run.output) do
    for _, correction in ipairs(run.ground_truth) do
      if suggestion == correction then return rank end
    end
  end
end

local first = eval.scorer {
  id = "first",
  description = "the first suggestion is an accepted correction",
  score = function(run) return rank_of_right(run) == 1 end,
}

local top5 = eval.scorer {
  id = "top5",
  description = "an accepted correction is among the first five suggestions",
  score = function(run) return (rank_of_right(run) or math.huge) <= 5 end,
}

local closeness = eval.scorer {
  id = "closeness",
  description = "similarity (0 to 1, by edit distance) of the first suggestion and the nearest accepted correction",
  score = function(run)
    local suggestion = run.output[1]
    if not suggestion then return 0, "no suggestion" end
    local best = 0
    for _, correction in ipairs(run.ground_truth) do
      local longer = math.max(eval.text.length(suggestion), eval.text.length(correction))
      best = math.max(best, 1 - eval.text.levenshtein(suggestion, correction) / longer)
    end
    return best, suggestion
  end,
}

for variant in eval.matrix { program = { "hunspell", "aspell" } } do
  eval.experiment {
    name = "spelling",
    variant = variant,
    dataset = "misspellings-" .. size,
    target = spellers[variant.program],
    scorers = { first, top5, closeness },
    max_concurrency = 2, -- hunspell keeps a core busy; `-j` allows more where there are more
    item_timeout = "30s",
    rules = { eval.rules.at_least("first", 0.3) },
  }
end
