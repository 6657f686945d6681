-- eval.metrics: measures over all results of a run, such as macro F1 or kappa, and what they compare in each result.

local digest = require "evalua.digest"
local native = require "evalua.native.metrics"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local metrics = {}

---@class evalua.metric
---@field kind string "f1", or "function" for one of the suite's own
---@field columns (string|function)[] what it compares, the prediction first: accessors
---@field options table of the kind
---@field higher_is_better boolean
---@field compute fun(results: table): number|table|nil of kind "function"

---The metatable that marks metrics.
metrics.metatable = { __name = "evalua.metric" }

-- What an accessor may begin with; the rest is a path inside, or the scorer.
local HEADS = {
  "output", "ground_truth", "input", "context", "metadata", "tags", "usage", "steps", "target_metadata", "score",
  "label", "passed", "status", "latency_ms",
}

local COMMON = {
  { "prediction", "text|function",
    help = 'what is measured, such as "output.team" or "label.judge"; default "output"' },
  { "truth", "text|function", help = 'what is right; default "ground_truth"' },
  { "scorers", "list", of = "text", help = "the labels, else the scores, of these two scorers are compared" },
}

local AVERAGE = { "average", "text|number|boolean",
  help = '"macro" (default), "micro", "weighted", or the one label that counts' }
local ORDER = { "labels", "list", help = "all labels in their order; numbers are in order without it" }
local POSITIVE = { "positive", "any", help = "the truth that counts as 1; default true and 1" }

local function schema(kind, ...)
  local list = table.move(COMMON, 1, #COMMON, 1, {})
  for _, option in ipairs { ... } do list[#list + 1] = option end
  return options.schema("eval.metrics." .. kind, list)
end

local SCHEMAS = {
  accuracy = schema "accuracy",
  precision = schema("precision", AVERAGE), recall = schema("recall", AVERAGE), f1 = schema("f1", AVERAGE),
  kappa = schema("kappa", { "weights", "string", enum = { "none", "linear", "quadratic" },
    help = "how much a disagreement counts; default none: all alike" }, ORDER),
  alpha = schema("alpha", { "level", "string", enum = { "nominal", "ordinal", "interval" }, help = "default nominal" },
    ORDER),
  pearson = schema "pearson", spearman = schema "spearman", kendall = schema "kendall", mae = schema "mae",
  rmse = schema "rmse",
  calibration_error = schema("calibration_error", { "bins", "integer", min = 1, max = 1000,
    help = "equal bins of probability; default 10" }, POSITIVE),
  auc = schema("auc", POSITIVE),
}

local AVERAGES = { macro = true, micro = true, weighted = true }

---The head and the rest of an accessor: `label` and `judge` of "label.judge".
---@param accessor string
---@return string head
---@return string|nil rest
function metrics.split(accessor)
  local head, rest = accessor:match("^([^.]+)%.(.+)$")
  return head or accessor, rest
end

local function check_accessor(kind, name, value)
  if type(value) ~= "string" then return value end
  local head, rest = metrics.split(value)
  if not strict.contains(HEADS, head) then
    place.fail(('eval.metrics.%s: option %s begins with "%s"%s'):format(kind, name, head,
      strict.hint(head, HEADS, "fields of a result")))
  end
  if (head == "score" or head == "label") and not rest then
    place.fail(('eval.metrics.%s: option %s must name the scorer, such as "%s.exact"'):format(kind, name, head))
  end
  return value
end

-- What is compared: two columns, of alpha any number of raters.
local function columns_of(kind, values)
  if values.scorers then
    if values.prediction or values.truth then
      place.fail(("eval.metrics.%s: scorers is in place of prediction and truth"):format(kind))
    end
    if #values.scorers < 2 or #values.scorers > 2 and kind ~= "alpha" then
      place.fail(("eval.metrics.%s: option scorers must name two scorers%s, not %d"):format(kind,
        kind == "alpha" and " or more" or "", #values.scorers))
    end
    local columns = {}
    for position, id in ipairs(values.scorers) do columns[position] = "rating." .. id end
    return columns
  end
  return { check_accessor(kind, "prediction", values.prediction) or "output",
    check_accessor(kind, "truth", values.truth) or "ground_truth" }
end

local function builder(kind)
  return function(given)
    local values = options.check(SCHEMAS[kind], given == nil and {} or given)
    local columns = columns_of(kind, values)
    values.prediction, values.truth, values.scorers = nil, nil, nil
    return setmetatable({ kind = kind, columns = columns, options = values,
      higher_is_better = native.higher_is_better(kind) }, metrics.metatable)
  end
end

local builders, is_builder = {}, {}
for kind in next, SCHEMAS do builders[kind] = builder(kind) end

---What scripts know as eval.metrics.
metrics.builders = strict.namespace(builders, "eval.metrics")
for _, made in next, builders do is_builder[made] = true end

---The option `metrics` of an experiment.
---@param given table<string, any>|nil
---@param where string
---@return { id: string, metric: evalua.metric }[]|nil sorted by id
function metrics.resolve(given, where)
  if given == nil then return nil end
  local list = {}
  for _, id in ipairs(strict.keys(given)) do
    local value = given[id]
    if is_builder[value] then value = value() end
    if type(value) == "function" then
      value = setmetatable({ kind = "function", columns = {}, options = {}, higher_is_better = true, compute = value },
        metrics.metatable)
    elseif getmetatable(value) ~= metrics.metatable then
      place.fail(('metric "%s" of eval.experiment must be one of eval.metrics or a function over all results, not %s')
        :format(id, options.show(value)), where)
    end
    list[#list + 1] = { id = id, metric = value }
  end
  return #list > 0 and list or nil
end

---A metric as it is stored with the run.
---@param entry { id: string, metric: evalua.metric }
---@return table definition { id, kind, columns, options, digest }
function metrics.definition(entry)
  local metric, columns = entry.metric, {}
  for position, column in ipairs(metric.columns) do
    columns[position] = type(column) == "string" and column or "(function)"
  end
  local definition = { id = entry.id, kind = metric.kind, columns = #columns > 0 and columns or nil,
    options = next(metric.options) and metric.options or nil }
  local code = { metric.compute }
  for _, column in ipairs(metric.columns) do if type(column) == "function" then code[#code + 1] = column end end
  if #code > 0 then definition.digest = digest.of(code) end
  return definition
end

---The metric of a stored definition; nil where it needs a function that the store has not.
---@param definition table
---@return evalua.metric|nil
function metrics.of_definition(definition)
  if not SCHEMAS[definition.kind] then return nil end
  for _, column in ipairs(definition.columns or {}) do if column == "(function)" then return nil end end
  return setmetatable({ kind = definition.kind, columns = definition.columns or { "output", "ground_truth" },
    options = definition.options or {}, higher_is_better = native.higher_is_better(definition.kind) },
    metrics.metatable)
end

local OF_ITEM = { ground_truth = true, input = true, metadata = true, tags = true }

---True for accessors of what the item has, whatever the target made of it.
---@param accessor string|function
---@return boolean
function metrics.is_of_item(accessor) return type(accessor) == "string" and OF_ITEM[metrics.split(accessor)] == true end

local OF_SCORE = { score = true, label = true, rating = true }

---True for accessors of scores and labels.
---@param accessor string|function
---@return boolean
function metrics.is_of_score(accessor)
  return type(accessor) == "string" and OF_SCORE[metrics.split(accessor)] == true
end

---True where the average is one label and not a way to average.
---@param average any
---@return boolean
function metrics.is_label(average) return average ~= nil and not AVERAGES[average] end

return metrics
