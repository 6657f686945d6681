-- A first suite: eight support messages, a tiny classifier, and a rule that the run must hold.
-- Run it:  evalua run examples/quickstart

local eval = require "evalua"

-- 1. The dataset: what goes in, and what should come out.
eval.dataset {
  name = "messages",
  items = {
    { id = "charged-twice", input = "I was charged twice this month", ground_truth = "billing" },
    { id = "refund", input = "Please send my money back, I want a refund", ground_truth = "billing" },
    { id = "invoice", input = "Where do I find the invoice for May?", ground_truth = "billing" },
    { id = "crash", input = "The app crashes when I open a photo", ground_truth = "bug" },
    { id = "blank", input = "After the update I only see an error", ground_truth = "bug" },
    { id = "dark-mode", input = "It would be nice to have a dark mode", ground_truth = "wish" },
    { id = "export", input = "Could you add an export to CSV?", ground_truth = "wish" },
    { id = "slow", input = "Since yesterday everything is slow", ground_truth = "bug" },
  },
}

-- 2. The target: the thing under test. Here a function; it could be a program, an HTTP service or a model.
local words = {
  billing = { "charged", "refund", "invoice", "money" },
  bug = { "crash", "error", "broken" },
  wish = { "would be nice", "could you add" },
}

local classifier = eval.target {
  id = "classifier",
  run = function(input)
    local text = input:lower()
    for _, team in ipairs { "billing", "bug", "wish" } do
      for _, word in ipairs(words[team]) do
        if text:find(word, 1, true) then return team end
      end
    end
    return "unsure"
  end,
}

-- 3. A scorer of our own: answering "unsure" is better than sending the message to the wrong team.
local careful = eval.scorer {
  id = "careful",
  description = "1 for the right team, 0.5 for an honest 'unsure', 0 for a wrong team",
  pass = 0.5,
  score = function(run)
    if run.output == run.ground_truth then return 1 end
    if run.output == "unsure" then return 0.5, "did not guess" end
    return 0, ("sent to %s instead of %s"):format(run.output, run.ground_truth)
  end,
}

-- 4. The experiment: all of it together, and what must hold for exit code 0.
eval.experiment {
  name = "quickstart",
  dataset = "messages",
  target = classifier,
  scorers = { eval.scorers.exact, careful },
  rules = {
    eval.rules.at_least("exact", 0.8),
    eval.rules.at_least("careful", 0.9),
  },
}
