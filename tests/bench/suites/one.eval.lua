-- One item: what it costs to start, run, store and say so.

local eval = require "evalua"

eval.dataset { name = "one", items = { { id = "a", input = "x", ground_truth = "x" } } }

eval.experiment {
  name = "one",
  dataset = "one",
  target = function(input) return input end,
  scorers = { eval.scorers.exact },
}
