-- What a person reads of a comparison: per scorer the difference with its interval, p and verdict, then the items.

local pretty = require "evalua.report.pretty"
local text = require "evalua.report.text"
local json = require "evalua.json"

local comparison = {}

local LISTED = 10

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local function put(view, ...) pretty.line(view, ...) end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function signed(value)
  return value and ("%s%s"):format(value >= 0 and "+" or "", text.number(value + 0.0)) or "-"
end

-- Small p-values keep their size, so that two of them can be told apart.
local function p_text(value)
  if not value then return "-" end
  if value >= 0.001 then return ("%.3f"):format(value) end
  if value == 0 then return "0" end
  return ("%.2g"):format(value)
end

local function title(side)
  local variant = present(side.variant)
  if present(side.file) then return text.clean(side.file) end
  return ("%s%s #%s"):format(text.clean(side.name or "?"), variant and variant ~= ""
    and (" [%s]"):format(text.clean(variant)) or "", tostring(side.number or "?"))
end

local function put_scorers(view, result, ids)
  local rows = {}
  for _, id in ipairs(ids) do
    local scorer = result.scorers[id]
    local ci = present(scorer.ci)
    local low, high = ci and present(ci[1] or ci.low), ci and present(ci[2] or ci.high)
    rows[#rows + 1] = {
      text.clean(id), tostring(scorer.n or 0), text.number(present(scorer.baseline_mean)),
      text.number(present(scorer.candidate_mean)), signed(present(scorer.delta)),
      low and high and ("%s to %s"):format(signed(low), signed(high)) or "-", p_text(present(scorer.p_value)),
      tostring(scorer.improved or 0), tostring(scorer.regressed or 0), tostring(scorer.same or 0),
      scorer.verdict or "-", (present(scorer.test) or "-"):gsub("_", " ") .. "",
    }
  end
  pretty.table(view, {
    { title = "scorer", flexible = true }, { title = "n", right = true }, { title = "baseline", right = true },
    { title = "now", right = true }, { title = "delta", right = true },
    { title = "95% interval", right = true, drop = 6 }, { title = "p", right = true, drop = 3 },
    { title = "improved", right = true, narrow = true, drop = 4 },
    { title = "regressed", right = true, narrow = true, drop = 5 },
    { title = "same", right = true, drop = 2 }, { title = "verdict", colour = text.verdict_colour },
    { title = "test", drop = 1 },
  }, rows)
  for _, id in ipairs(ids) do
    local scorer = result.scorers[id]
    if scorer.verdict == "inconclusive" and present(scorer.mde) then
      put(view, ("%s: with n = %d only a difference of %s or more would be seen"):format(text.clean(id), scorer.n or 0,
        text.number(scorer.mde + 0.0)))
    end
  end
end

local function put_changes(view, changes, heading, limit)
  if not changes or #changes == 0 then return end
  local rows = {}
  for position = 1, math.min(#changes, limit) do
    local change = changes[position]
    rows[position] = { text.clean(change.item_id), text.clean(change.scorer_id), text.number(present(change.baseline)),
      text.number(present(change.candidate)) }
  end
  put(view, "")
  put(view, view.paint("bold", heading), #changes > #rows and (" (%d of %d)"):format(#rows, #changes) or "")
  pretty.table(view, { { title = "item", flexible = true }, { title = "scorer", flexible = true },
    { title = "baseline", right = true },
    { title = "now", right = true } }, rows)
end

local function put_new_failures(view, result, limit)
  local failures = present(result.new_failures)
  if not failures or #failures == 0 then return end
  local shown = {}
  for position = 1, math.min(#failures, limit) do
    shown[position] = ("%s (%s)"):format(text.clean(failures[position].item_id), failures[position].status)
  end
  local count = result.new_failure_count or #failures
  put(view, ("fine before, not now: %d  %s%s"):format(count, table.concat(shown, ", "), count > #shown
    and (" and %d more"):format(count - #shown) or ""))
end

-- Lines beside the scores: success rate, latency, tokens and cost, where the comparison has them.
local function put_rest(view, result)
  local success = present(result.success_rate)
  if success and present(success.baseline) and success.baseline ~= success.candidate then
    put(view, ("success rate: %s, was %s"):format(text.percent(present(success.candidate)),
      text.percent(present(success.baseline))))
  end
  local latency = present(result.latency_ms)
  if latency then
    local before, now = present(latency.baseline), present(latency.candidate)
    if type(before) == "table" and type(now) == "table" then
      put(view, ("latency: p50 %s, was %s; p95 %s, was %s"):format(text.duration(present(now.p50)),
        text.duration(present(before.p50)), text.duration(present(now.p95)), text.duration(present(before.p95))))
    end
  end
end

---One comparison.
---@param view table of pretty.view
---@param result table a comparison as evalua.compare makes it
---@param options {only: string?, limit: integer?, scorers: string[]?}
function comparison.put(view, result, options)
  local limit = options.limit or LISTED
  put(view, view.paint("bold", title(result.candidate)), " against ", view.paint("bold", title(result.baseline)), ": ",
    view.paint(text.verdict_colour(result.verdict), result.verdict))
  for _, warning in ipairs(result.warnings or {}) do
    put(view, view.paint("yellow", "warning"), ": ", text.clean(warning))
  end
  local items = result.items or {}
  put(view, ("%s paired"):format(text.count(items.paired or 0, "item")))
  local ids = options.scorers or sorted_keys(result.scorers)
  if #ids > 0 then
    put(view, "")
    put_scorers(view, result, ids)
  end
  put_rest(view, result)
  put_new_failures(view, result, limit)
  if options.only ~= "improved" then put_changes(view, result.regressions, "regressed", limit) end
  if options.only ~= "regressed" then put_changes(view, result.improvements, "improved", limit) end
end

return comparison
