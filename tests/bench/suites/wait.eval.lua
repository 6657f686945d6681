-- Items that only wait: the ideal wall time is ceil(items / concurrency) * wait.

local eval = require "evalua"
local items = eval.param { name = "items", description = "a JSONL file of {id, input, ground_truth}" }
local concurrency = eval.param { name = "concurrency", default = 100 }
local wait = eval.param { name = "wait", default = 50, description = "milliseconds" }

eval.dataset { name = "wait", items = eval.jsonl(items) }

eval.experiment {
  name = "wait",
  dataset = "wait",
  target = function(input)
    eval.sleep(wait)
    return input
  end,
  scorers = { eval.scorers.exact },
  max_concurrency = concurrency,
}
