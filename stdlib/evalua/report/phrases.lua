-- What reports say of runs and results in words: means with what they leave out, counts, metrics, errors on one line.

local json = require "evalua.json"
local text = require "evalua.report.text"

local phrases = {}

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(present(map) or {}) do keys[#keys + 1] = key end
  table.sort(keys, function(left, right) return tostring(left) < tostring(right) end)
  return keys
end

phrases.present, phrases.sorted_keys = present, sorted_keys

---A step's scorer is keyed `step/scorer`, as in the summary.
---@param score table
---@return string
function phrases.score_key(score)
  local step = present(score.step_id)
  return step and step ~= "" and (step .. "/" .. score.scorer_id) or score.scorer_id
end

---The message of a result's error, from its JSON text.
---@param raw string?
---@return string? clean text
function phrases.error_message(raw)
  local decoded = raw and json.decode(raw)
  if type(decoded) ~= "table" then return nil end
  return text.clean(tostring(decoded.message or decoded.code or raw))
end

---An error on one line: its first line, and the last one that the program wrote to stderr.
---@param message string
---@return string
function phrases.brief(message)
  local first, said = message:match("^([^\n]*)"), message:match("\nstderr: (.*)$")
  local last = said and said:match("([^\n]*%S[^\n]*)%s*$")
  return last and ("%s; stderr: %s"):format(first, (last:gsub("^%s+", ""))) or first
end

---`0.82 over 47 of 50 (2 failed, 1 unscored)`: a mean never stands without what it leaves out.
---@param scorer table of summary.scorers
---@return string
function phrases.mean_text(scorer)
  local counts, total = {}, scorer.n
  local function add(count, what)
    count = present(count) or 0
    if count > 0 then counts[#counts + 1] = ("%d %s"):format(count, what) end
    total = total + count
  end
  local mean, labels, labelled = present(scorer.mean), {}, 0
  if not mean then
    for _, label in ipairs(sorted_keys(scorer.labels)) do
      labels[#labels + 1] = ("%s %d"):format(text.clean(tostring(label)), scorer.labels[label])
      labelled = labelled + scorer.labels[label]
    end
  end
  -- What has a label and no score is not missing.
  local without = present(scorer.n_without) or 0
  local counted = math.min(labelled, without)
  total = total + counted
  add(scorer.n_failed, "failed")
  add(scorer.n_unscored, "unscored")
  add(scorer.n_error, present(scorer.n_error) == 1 and "scorer error" or "scorer errors")
  add(scorer.n_skipped, "skipped")
  add(scorer.n_pending, "pending")
  add(without - counted, "without it")
  return ("%s over %d of %d%s"):format(#labels > 0 and table.concat(labels, ", ") or text.number(mean and mean + 0.0),
    scorer.n + counted, total, #counts > 0 and (" (" .. table.concat(counts, ", ") .. ")") or "")
end

---`0.75 to 0.91`, or `-`.
---@param ci table?
---@return string
function phrases.interval_text(ci)
  ci = present(ci)
  if not ci then return "-" end
  local low, high = present(ci[1] or ci.low), present(ci[2] or ci.high)
  if not low or not high then return "-" end
  return ("%s to %s"):format(text.number(low + 0.0), text.number(high + 0.0))
end

---The name of a run with its variant.
---@param record table
---@return string clean text
function phrases.title(record)
  local variant = present(record.variant)
  return ("%s%s"):format(text.clean(record.name), variant and variant ~= "" and (" [%s]"):format(text.clean(variant))
    or "")
end

-- Answers that came from a cache, where the run used one.
local function cache_text(summary)
  local cache = present(summary.cache)
  if type(cache) ~= "table" then return nil end
  local hits, misses = present(cache.hits) or 0, present(cache.misses) or 0
  if hits + misses == 0 then return nil end
  local function number(count) return (tostring(count):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")) end
  local all = hits + misses
  if misses == 0 then return ("%s %s from the cache"):format(number(hits), hits == 1 and "answer" or "answers") end
  return ("%s of %s answers from the cache"):format(number(hits), number(all))
end

-- The tokens and cost of a run, where its targets report them.
local function usage_text(summary)
  local usage, list = present(summary.usage) or {}, {}
  local input, output = present(usage.input_tokens), present(usage.output_tokens)
  local function tokens(count) return (math.abs(count) < 1e15 and "%.0f" or "%.4g"):format(count) end
  if input and output then
    list[1] = ("%s tokens in, %s out"):format(tokens(input), tokens(output))
  elseif input or output then -- what nobody reports is not 0
    list[1] = ("%s tokens %s"):format(tokens(input or output), input and "in" or "out")
  end
  if present(usage.cost) then list[#list + 1] = ("cost %s"):format(text.number(usage.cost + 0.0)) end
  return #list > 0 and table.concat(list, ", ") or nil
end

-- False where every scorer gave scores and none says what passes: then nobody counted.
local function may_pass(summary)
  if summary.passed_count > 0 then return true end
  for _, entry in pairs(summary.scorers or {}) do
    if present(entry.pass_rate) or (entry.n or 0) == 0 then return true end
  end
  return false
end

---`50 items, 48 ok, 2 failed, 40 passed, latency p50 12 ms, p95 30 ms`.
---@param summary table
---@return string
function phrases.count_text(summary)
  local list = { text.count(summary.total_items or 0, "item") }
  local function add(count, form)
    if (present(count) or 0) > 0 then list[#list + 1] = form:format(count) end
  end
  local repeated = present(summary.trials)
  if repeated then list[#list + 1] = ("%d trials each (%s)"):format(repeated.count, repeated.reducer) end
  list[#list + 1] = ("%d ok"):format(summary.succeeded_count or 0)
  add(summary.failed_count, "%d failed")
  if repeated and repeated.failed > 0 then
    list[#list + 1] = ("%d of %d trials failed"):format(repeated.failed, repeated.total)
  end
  add(summary.skipped_count, "%d skipped")
  add(summary.pending_count, "%d not run")
  if present(summary.passed_count) and may_pass(summary) then
    list[#list + 1] = ("%d passed"):format(summary.passed_count)
  end
  local latency = present(summary.latency_ms)
  if latency and present(latency.p50) then
    list[#list + 1] = ("latency p50 %s, p95 %s"):format(text.duration(latency.p50), text.duration(latency.p95))
  end
  list[#list + 1] = usage_text(summary)
  list[#list + 1] = cache_text(summary)
  return table.concat(list, ", ")
end

---What the intervals are robust against, where the experiment clusters its items.
---@param summary table
---@return string|nil
function phrases.cluster_text(summary)
  local cluster = present(summary.cluster)
  if not cluster then return nil end
  if cluster.clusters == 0 then return ("cluster: no item has the field %s"):format(text.clean(cluster.field)) end
  return ("intervals are over %s of %s"):format(text.count(cluster.clusters, "cluster"), text.clean(cluster.field))
end

---How a run's items were chosen, where somebody chose.
---@param summary table
---@return string
function phrases.selection_text(summary)
  local selection, list = present(summary.selection) or {}, {}
  if present(selection.items) then list[#list + 1] = "items" end
  if present(selection.failed_from) then list[#list + 1] = ("failed in #%d"):format(selection.failed_from) end
  if present(selection.where) then list[#list + 1] = "where " .. text.clean(tostring(selection.where)) end
  if present(selection.limit) then list[#list + 1] = "limit " .. selection.limit end
  if present(selection.sample) then list[#list + 1] = "sample " .. selection.sample end
  if #list == 0 then return "" end
  local of = present(selection.of)
  return (" (%sselected: %s)"):format(of and ("%d of %d "):format(summary.total_items or 0, of) or "",
    table.concat(list, ", "))
end

---What to say of a run without results of rules: that it has none, or that they were not judged.
---@param summary table
---@return string
function phrases.without_rules(summary)
  if present(summary.score_set) then return "a score set is not judged; the rules spoke of the run's own scores" end
  local declared = present(summary.rules_declared)
  if declared and declared > 0 then
    return ("its %s %s not judged: the run is not complete"):format(text.count(declared, "rule"),
      declared == 1 and "was" or "were")
  end
  if not declared and summary.status ~= "completed" then return "no rule was judged: the run is not complete" end
  return "nothing gates this experiment: it has no rules"
end

---The metrics over all results of a run: each with its name, what to show, and its interval where it has one.
---@param summary table
---@return { name: string, text: string, interval: string? }[] clean text
function phrases.metrics(summary)
  local list = {}
  for _, name in ipairs(sorted_keys(summary.metrics)) do
    local metric = summary.metrics[name]
    local value, interval, over = metric, nil, ""
    if type(metric) == "table" then
      value = present(metric.value)
      interval = present(metric.ci) and phrases.interval_text(metric.ci)
      local n, missing = present(metric.n), present(metric.n_missing) or 0
      if value == nil then
        value = present(metric.problem) and "no value: " .. text.clean(tostring(metric.problem)) or nil
      elseif n then
        over = missing > 0 and (" over %d of %d"):format(n, n + missing) or (" over %d"):format(n)
      end
    end
    local shown = type(value) == "number" and text.number(value + 0.0)
      or present(value) ~= nil and text.clean(tostring(value)) or "-"
    list[#list + 1] = { name = text.clean(name), text = shown .. over, interval = interval }
  end
  return list
end

return phrases
