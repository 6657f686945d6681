-- Items that cost nothing: what remains is the price of the program itself.

local eval = require "evalua"
local items = eval.param { name = "items", description = "a JSONL file of {id, input, ground_truth}" }
local concurrency = eval.param { name = "concurrency", default = 5 }
local timeout = eval.param { name = "timeout", default = "", description = "item_timeout; empty: none" }

eval.dataset { name = "trivial", items = eval.jsonl(items) }

eval.experiment {
  name = "trivial",
  dataset = "trivial",
  target = function(input) return input end,
  scorers = { eval.scorers.exact },
  max_concurrency = concurrency,
  item_timeout = timeout ~= "" and timeout or nil,
}
