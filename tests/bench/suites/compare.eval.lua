-- Two runs to compare: the candidate is right more often, on items chosen by their number.

local eval = require "evalua"
local items = eval.param { name = "items", description = "a JSONL file of {id, input, ground_truth}" }

eval.dataset { name = "compare", items = eval.jsonl(items) }

for variant in eval.matrix { wrong_every = { 5, 7 } } do
  eval.experiment {
    name = "compare",
    variant = variant,
    dataset = "compare",
    target = function(input)
      return tonumber(input:match("%d+")) % variant.wrong_every == 0 and "wrong" or input
    end,
    scorers = { eval.scorers.exact },
    max_concurrency = 20,
  }
end
