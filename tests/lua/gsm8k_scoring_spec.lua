-- What four recorded models answered to 100 problems of GSM8K: scorers find what the labels say.

local t = require "harness"
local json = require "evalua.json"
local scorer = require "evalua.scorer"

local models = { "6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification" }
local right = { ["6b_finetuning"] = 21, ["6b_verification"] = 34, ["175b_finetuning"] = 34, ["175b_verification"] = 58 }

local function rows()
  local list = {}
  for line in io.lines(t.shared "data/gsm8k/example_model_solutions_first100.jsonl") do
    list[#list + 1] = assert(json.decode(line))
  end
  t.equal(#list, 100)
  return list
end

local function references()
  local list = {}
  for line in io.lines(t.shared "data/gsm8k/test.jsonl") do
    list[#list + 1] = assert(json.decode(line)).answer:match("#### (.*)$")
    if #list == 100 then break end
  end
  return list
end

local function count_right(made, model, list, truth_of)
  local count = 0
  for position, row in ipairs(list) do
    local outcome = made.evaluate(scorer.run_record {
      item_id = tostring(position), output = row[model].solution, ground_truth = truth_of(position, row),
    })
    t.equal(outcome.status, "ok")
    t.equal(outcome.passed, row[model].is_correct, ("row %d of %s"):format(position, model))
    count = count + outcome.score
  end
  return count
end

t.test("numeric after the marker agrees with every label: references with the marker", function()
  local made, list = scorer.builtins.numeric { after = "A:" }, rows()
  for _, model in ipairs(models) do
    t.equal(count_right(made, model, list, function(_, row) return row.ground_truth end), right[model], model)
  end
end)

t.test("numeric after the marker agrees with every label: bare references", function()
  local made, list, bare = scorer.builtins.numeric { after = "A:" }, rows(), references()
  for _, model in ipairs(models) do
    t.equal(count_right(made, model, list, function(position) return bare[position] end), right[model], model)
  end
end)

t.test("a scorer of one's own over the text after the marker agrees too", function()
  local function answer(text)
    local found = text:match(".*A: (%-?[%d.,]+)")
    return found and found:gsub(",", "") or nil
  end
  local made = scorer.declare {
    id = "same_answer", score = function(run) return answer(run.output) == answer(run.ground_truth) end,
  }
  local list = rows()
  for _, model in ipairs(models) do
    t.equal(count_right(made, model, list, function(_, row) return row.ground_truth end), right[model], model)
  end
end)
