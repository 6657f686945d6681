-- JSON of results, items and summaries, written piece by piece: values from the store are passed on as they are stored.

local json = require "evalua.json"

local report = {}

report.PAGE = 500 -- results read at once, so that a report of any size stays small

-- Fields of a result in the order they are printed; raw ones are JSON text in the store.
local result_fields = {
  { "item_id" }, { "item_version" }, { "trial" }, { "status" }, { "passed" }, { "input", raw = true },
  { "output", raw = true }, { "ground_truth", raw = true }, { "metadata", raw = true }, { "tags", raw = true },
  { "error", raw = true }, { "started_at" }, { "completed_at" }, { "latency_ms" }, { "retry_count" },
  { "usage", raw = true }, { "steps", raw = true }, { "trajectory", raw = true }, { "context", raw = true },
  { "interrupted_by", optional = true }, { "output_repaired", optional = true },
  { "cache_hits", optional = true }, { "cache_misses", optional = true },
}
local score_fields = {
  { "scorer_id" }, { "scorer_name" }, { "step_id" }, { "score" }, { "label" }, { "passed" }, { "reason" },
  { "error", raw = true }, { "status" }, { "metadata", raw = true, optional = true }, { "latency_ms", optional = true },
}
local item_fields = {
  { "input", raw = true }, { "ground_truth", raw = true, optional = true }, { "context", raw = true, optional = true },
  { "expected_trajectory", raw = true, optional = true }, { "steps", raw = true, optional = true },
  { "output", raw = true, optional = true }, { "metadata", raw = true, optional = true },
  { "tags", raw = true, optional = true }, { "scorers", raw = true, optional = true },
  { "expect", raw = true, optional = true }, { "tool_mocks", raw = true, optional = true },
  { "source", raw = true, optional = true }, { "version", optional = true },
  { "valid_to", optional = true }, { "digest", optional = true },
}

-- Texts of a fixed form, which need no escapes.
local plain = { status = true, started_at = true, completed_at = true }

for _, fields in ipairs { result_fields, score_fields, item_fields } do
  for _, field in ipairs(fields) do
    field.prefix = ('"%s":'):format(field[1])
    field.plain = plain[field[1]]
  end
end

local function escape_character(character) return ("\\u%04x"):format(utf8.codepoint(character)) end

---JSON text in which characters that would act on a terminal or reorder its line are escaped, and `##[`, which the
---runner of a workflow takes for a command: the same value, as they stand in strings only.
---@param encoded string
---@return string
function report.harmless(encoded)
  if encoded:find("##", 1, true) then encoded = encoded:gsub("##(%a*)%[", "\\u0023\\u0023%1[") end
  if not encoded:find("[\127\194\226]") then return encoded end
  encoded = encoded:gsub("\127", "\\u007f"):gsub("\194[\128-\159]", escape_character)
  encoded = encoded:gsub("\226\128[\142\143\168-\174]", escape_character)
  return (encoded:gsub("\226\129[\166-\169]", escape_character))
end

local harmless = report.harmless

local function encode_value(field, value)
  local kind = math.type(value)
  if kind == "integer" or value == true or value == false then return tostring(value) end
  if field.raw and not kind then return value end
  if field.plain then return '"' .. value .. '"' end
  return json.encode(value)
end

local function object(record, fields, out)
  for position = 1, #fields do
    local field = fields[position]
    local value = record[field[1]]
    if value == "" and field[1] == "step_id" then value = nil end
    if value ~= nil and value ~= json.null then
      out[#out + 1] = field.prefix .. encode_value(field, value)
    elseif not field.optional then
      out[#out + 1] = field.prefix .. "null"
    end
  end
  return out
end

---One result as JSON text.
---@param row table a row of store:results
---@return string
function report.result(row)
  local out = object(row, result_fields, {})
  local scores = {}
  for position, score in ipairs(row.scores or {}) do
    scores[position] = "{" .. table.concat(object(score, score_fields, {}), ",") .. "}"
  end
  out[#out + 1] = '"scores":[' .. table.concat(scores, ",") .. "]"
  return harmless("{" .. table.concat(out, ",") .. "}")
end

---One item of a dataset as JSON text.
---@param row table a packed item
---@return string
function report.item(row)
  local out = object(row, item_fields, { '"id":' .. json.encode(row.item_id) })
  return harmless("{" .. table.concat(out, ",") .. "}")
end

---Calls `each(row)` for the results of an experiment in item order, a page at a time.
---@param store table
---@param experiment_id string
---@param options {after: integer?, upto: integer?, failed: boolean?, item_id: string?}
---@param each fun(row: table): boolean? returning false ends the walk
function report.each_result(store, experiment_id, options, each)
  local after = options.after or 0
  while true do
    local rows, problem = store:results(experiment_id,
      { after = after, limit = report.PAGE, failed = options.failed, item_id = options.item_id })
    if not rows then require("evalua.cli.fail").incomplete("results cannot be read: %s", tostring(problem)) end
    for _, row in ipairs(rows) do
      if options.upto and row.position > options.upto then return end
      if each(row) == false then return end
      after = row.position
    end
    if #rows < report.PAGE or (options.upto and after >= options.upto) then return end
  end
end

-- Lists of a summary or comparison that may be empty: marked, so that they are printed as [] and not {}.
local list_fields = {
  rules = true, ids = true, warnings = true, only_baseline = true, only_candidate = true,
  changed = true, regressions = true, improvements = true, added = true, removed = true, new_failures = true,
}

---Marks the empty lists of a report, at any depth.
---@param value any
---@return any value itself
function report.mark_lists(value)
  if type(value) ~= "table" then return value end
  for key, inner in pairs(value) do
    if type(inner) == "table" then
      if list_fields[key] and next(inner) == nil and not json.is_array(inner) then
        value[key] = json.array(inner)
      else
        report.mark_lists(inner)
      end
    end
  end
  return value
end

---The summary as JSON text without results: known fields without a value are null, a run without rules has [].
---@param summary table
---@return string
function report.head(summary)
  local copy = require("evalua.summary").for_json(summary)
  copy.exit_code = nil
  if copy.rules == nil or copy.rules == json.null then copy.rules = json.array {} end
  return harmless(json.encode(report.mark_lists(copy)))
end

---Writes one summary with its results, as one object on one line without a newline.
---@param write fun(text: string)
---@param store table
---@param summary table
---@param select nil|fun(row: table): boolean which results
function report.summary(write, store, summary, select)
  write(report.head(summary):sub(1, -2))
  write(',"results":[')
  local first = true
  report.each_result(store, summary.experiment_id, {}, function(row)
    if select and not select(row) then return end
    write(first and "\n" or ",\n")
    write(report.result(row))
    first = false
  end)
  write("]}")
end

---Writes the whole report of a run: `{"experiments":[...],"verdict":...}`.
---@param write fun(text: string)
---@param store table
---@param summaries table[]
---@param verdict string
---@param more table<string, table>|nil further fields of the object, such as `noise`
function report.run(write, store, summaries, verdict, more)
  write('{"experiments":[')
  for position, summary in ipairs(summaries) do
    if position > 1 then write(",") end
    report.summary(write, store, summary)
  end
  write("]")
  for name, value in next, more or {} do
    write((',"%s":'):format(name) .. harmless(json.encode(report.mark_lists(value))))
  end
  write(',"verdict":' .. json.encode(verdict) .. "}\n")
end

---Writes a list of objects, one per line.
---@param write fun(text: string)
---@param rows table[]
function report.list(write, rows)
  write("[")
  for position, row in ipairs(rows) do
    write(position > 1 and ",\n" or "\n")
    write(harmless(json.encode(report.mark_lists(row))))
  end
  write(#rows > 0 and "\n]\n" or "]\n")
end

return report
