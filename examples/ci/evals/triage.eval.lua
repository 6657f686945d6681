-- Which team does a ticket belong to? A model behind an HTTP API decides, as the prompt beside this file tells it to.
--
-- In CI its answers come from the cassette beside this file, so that no key is needed there and nothing is sent:
--   evalua run evals --cache replay --cache-file evals/triage.cassette.jsonl
local eval = require "evalua"

local url = eval.param { name = "url", default = "http://127.0.0.1:8089/v1/chat/completions" }
local prompt = eval.file "prompt.md"

eval.dataset { name = "tickets", file = "tickets.jsonl" }

eval.http {
  id = "triage", url = url,
  -- The cassette holds the answers of a version: as long as requests and answers mean the same, keep it.
  version = 1,
  headers = { authorization = "Bearer " .. eval.env("TRIAGE_API_KEY", "none") },
  body = function(input)
    return { model = "small-1", temperature = 0, messages = {
      { role = "system", content = tostring(prompt) }, { role = "user", content = input } } }
  end,
  output = "/choices/0/message/content",
}

eval.experiment {
  name = "triage", dataset = "tickets", target = "triage",
  scorers = { eval.scorers.exact, eval.scorers.word_count { id = "one_word", max = 1 } },
  max_concurrency = 8, item_timeout = "30s", max_retries = 2, slices = { "metadata.lang" },
  rules = {
    eval.rules.at_least("exact", 0.8),
    eval.rules.no_regression("exact"),
    eval.rules.no_regression("one_word"),
  },
}
