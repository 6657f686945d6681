-- Items that are one HTTP request each, against a server that answers after a fixed time.

local eval = require "evalua"
local items = eval.param { name = "items", description = "a JSONL file of {id, input, ground_truth}" }
local concurrency = eval.param { name = "concurrency", default = 100 }
local url = eval.param { name = "url", description = "of the server" }

eval.dataset { name = "http", items = eval.jsonl(items) }

eval.http { id = "asked", url = url, body = { question = "{{input}}" }, output = "/output" }

eval.experiment {
  name = "http",
  dataset = "http",
  target = "asked",
  scorers = { eval.scorers.contains { value = "ok" } },
  max_concurrency = concurrency,
}
