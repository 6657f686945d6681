-- What a person reads of a comparison: per scorer the difference with its interval, p and verdict, then the items, the
-- worst of them with both outputs. Several comparisons with the same baseline stand in one table.

local comparison_notes = require "evalua.report.comparison_notes"
local json = require "evalua.json"
local text = require "evalua.report.text"
local views = require "evalua.report.view"
local word_diff = require "evalua.report.word_diff"

local comparison = {}

local LISTED = 10
local DIFFS_SHOWN = 3
local TEXT_BYTES_MAX = 20000 -- of an output that is compared word by word

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local function put(view, ...) views.say(view, ...) end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(present(map) or {}) do keys[#keys + 1] = key end
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

---What a side of a comparison is called: the file, or name, variant and number.
---@param side table
---@return string clean text
local function title(side)
  local variant = present(side.variant)
  if present(side.file) then return text.clean(side.file) end
  local set = present(side.score_set)
  return ("%s%s #%s%s"):format(text.clean(side.name or "?"), variant and variant ~= ""
    and (" [%s]"):format(text.clean(variant)) or "", tostring(side.number or "?"), set and ("@" .. set) or "")
end

-- Tables -------------------------------------------------------------------------------------------------------------

local function interval_text(entry)
  local ci = present(entry.ci)
  local low, high = ci and present(ci[1] or ci.low), ci and present(ci[2] or ci.high)
  return low and high and ("%s to %s"):format(signed(low), signed(high)) or "-"
end

local function count_text(value) return present(value) and tostring(value) or "-" end

-- The cells of one entry, in the order of `columns`.
local function cells_of(entry)
  local p = present(entry.p_adjusted) or present(entry.p_value)
  local before, now = text.two_numbers(present(entry.baseline_mean), present(entry.candidate_mean))
  return { tostring(entry.n or 0), before, now, signed(present(entry.delta)), interval_text(entry), p_text(p),
    count_text(entry.improved), count_text(entry.regressed), count_text(entry.same),
    (entry.verdict or "-"):gsub("_", " ") .. "", (present(entry.test) or "-"):gsub("_", " ") .. "" }
end

local function verdict_colour(cell) return text.verdict_colour((cell:gsub(" ", "_"))) end

local function columns_of(confidence)
  return {
    { title = "n", right = true }, { title = "baseline", right = true, drop = 7 }, { title = "now", right = true },
    { title = "delta", right = true }, { title = ("%g%% interval"):format(confidence * 100), right = true, drop = 6 },
    { title = "p", right = true, drop = 3 },
    { title = "improved", right = true, narrow = true, drop = 4 },
    { title = "regressed", right = true, narrow = true, drop = 5 },
    { title = "same", right = true, drop = 2 }, { title = "verdict", colour = verdict_colour },
    { title = "test", drop = 1 },
  }
end

local function confidence_of(result)
  for _, map in ipairs { result.scorers, present(result.metrics) or {} } do
    for _, entry in pairs(map) do
      if present(entry.confidence) then return entry.confidence end
    end
  end
  return 0.95
end

-- Scorers and metrics, in this order: { id, entry }.
local function entries_of(result, wanted)
  local list = {}
  for _, map in ipairs { result.scorers, present(result.metrics) or {} } do
    for _, id in ipairs(wanted or sorted_keys(map)) do
      if map[id] then list[#list + 1] = { id, map[id] } end
    end
  end
  return list
end

local function put_table(view, first_columns, rows, confidence)
  local columns = {}
  for _, column in ipairs(first_columns) do columns[#columns + 1] = column end
  for _, column in ipairs(columns_of(confidence)) do columns[#columns + 1] = column end
  views.table(view, columns, rows)
end

local function row_of(first_cells, entry)
  local row = {}
  for _, cell in ipairs(first_cells) do row[#row + 1] = cell end
  for _, cell in ipairs(cells_of(entry)) do row[#row + 1] = cell end
  return row
end

local function put_notes(view, entries)
  for _, pair in ipairs(entries) do
    local id, entry = text.clean(pair[1]), pair[2]
    for _, line in ipairs(comparison_notes.labels(entry)) do put(view, ("%s: %s"):format(id, line)) end
    local limits = comparison_notes.limits(entry)
    if limits then put(view, ("%s: %s"):format(id, limits)) end
    if present(entry.clusters) then
      put(view, ("%s: errors over %s"):format(id, text.count(entry.clusters, "cluster")))
    end
    local delta, better = present(entry.delta), entry.higher_is_better ~= false
    local gains = (present(entry.improved) or 0) - (present(entry.regressed) or 0)
    if delta and delta ~= 0 and gains ~= 0 and (delta > 0 == better) ~= (gains > 0) then
      put(view, ("%s: the mean %s although more items %s (%d) than %s (%d); the few changed more"):format(id,
        delta > 0 and "rose" or "fell", gains > 0 and "improved" or "regressed", gains > 0 and entry.improved
        or entry.regressed, gains > 0 and "regressed" or "improved", gains > 0 and entry.regressed or entry.improved))
    end
  end
end

local function put_scorers(view, result, wanted)
  local entries, rows = entries_of(result, wanted), {}
  if #entries == 0 then return end
  for position, pair in ipairs(entries) do rows[position] = row_of({ text.clean(pair[1]) }, pair[2]) end
  put(view, "")
  put_table(view, { { title = "scorer", flexible = true } }, rows, confidence_of(result))
  put_notes(view, entries)
end

local function put_slices(view, result, wanted)
  local slices = present(result.slices)
  for _, field in ipairs(sorted_keys(slices)) do
    local rows = {}
    local values = sorted_keys(slices[field])
    table.sort(values, function(a, b)
      local n_a, n_b = slices[field][a].n, slices[field][b].n
      if n_a ~= n_b then return n_a > n_b end
      return a < b
    end)
    for _, value in ipairs(values) do
      for _, pair in ipairs(entries_of(slices[field][value], wanted)) do
        rows[#rows + 1] = row_of({ text.clean(value), text.clean(pair[1]) }, pair[2])
      end
    end
    put(view, "")
    put_table(view, { { title = text.clean(field), flexible = true }, { title = "scorer", flexible = true } }, rows,
      confidence_of(result))
    if #values > 1 then put(view, "p is Holm-adjusted over the slices") end
  end
end

-- Items --------------------------------------------------------------------------------------------------------------

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
  views.table(view, { { title = "item", flexible = true }, { title = "scorer", flexible = true },
    { title = "baseline", right = true },
    { title = "now", right = true } }, rows)
end

-- The output of an item as text; nil where the run, or the baseline file, has none.
local function output_of(store, side, item_id)
  local id = present(side.experiment_id)
  if not id or present(side.file) then return nil end
  local rows = store:results(id, { item_id = item_id, after = 0, limit = 1 })
  local raw = rows and rows[1] and rows[1].output
  if not raw or #raw > TEXT_BYTES_MAX then return nil end
  local value = json.decode(raw)
  if type(value) == "string" then return text.clean(value) end
  return text.clean(value ~= nil and json.encode(value, { pretty = true }) or raw)
end

-- Both outputs of the items that fell most.
local function put_diffs(view, store, result)
  local shown, seen = 0, {}
  for _, change in ipairs(result.regressions or {}) do
    if shown == DIFFS_SHOWN then break end
    local before = not seen[change.item_id] and output_of(store, result.baseline, change.item_id)
    local after = before and output_of(store, result.candidate, change.item_id)
    seen[change.item_id] = true
    if after and before ~= after then
      shown = shown + 1
      put(view, "")
      put(view, view.paint("bold", text.clean(change.item_id)), (": %s %s to %s"):format(text.clean(change.scorer_id),
        text.number(present(change.baseline)), text.number(present(change.candidate))))
      for _, line in ipairs(word_diff.lines(before, after, { width = view.width, paint = view.paint,
        titles = { "output in the baseline", "output now" } })) do
        view.write(line .. "\n")
      end
    end
  end
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

-- The run as a whole -------------------------------------------------------------------------------------------------

local USAGE_NAMES = { { "input_tokens", "input tokens" }, { "output_tokens", "output tokens" }, { "cost", "cost" } }

local function usage_text(usage)
  local parts = {}
  for _, pair in ipairs(USAGE_NAMES) do
    local before = present(usage.baseline) and present(usage.baseline[pair[1]])
    local now = present(usage.candidate) and present(usage.candidate[pair[1]])
    if before or now then
      local function shown(value)
        if not value then return "unknown" end
        return ((pair[1] == "cost" or value >= 1e15) and "%.4g" or "%.0f"):format(value)
      end
      parts[#parts + 1] = ("%s %s, was %s"):format(pair[2], shown(now), shown(before))
    end
  end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

-- Lines beside the scores: success rate, latency, tokens and cost, where the comparison has them.
local function put_rest(view, result)
  local of_common = comparison_notes.of_common(result)
  local success = present(result.success_rate)
  if success and present(success.baseline) and success.baseline ~= success.candidate then
    put(view, ("success rate%s: %s, was %s"):format(comparison_notes.of_common(result, true),
      text.percent(present(success.candidate)), text.percent(present(success.baseline))))
  end
  local latency = present(result.latency_ms)
  local before, now = latency and present(latency.baseline), latency and present(latency.candidate)
  if type(before) == "table" and type(now) == "table" then
    local parts = {}
    for position, name in ipairs { "p50", "p95", "p99" } do
      parts[position] = ("%s %s, was %s"):format(name, text.duration(present(now[name])),
        text.duration(present(before[name])))
    end
    put(view, ("latency%s: "):format(of_common) .. table.concat(parts, "; "))
  end
  local usage = present(result.usage)
  local shown = usage and usage_text(usage)
  if shown then put(view, ("usage%s: "):format(of_common) .. shown) end
end

local function put_warnings(view, result)
  for _, warning in ipairs(result.warnings or {}) do
    put(view, view.paint("yellow", "warning"), ": ", text.clean(warning))
  end
end

local function paired_text(result)
  local where = present(result.where)
  return ("%s paired%s"):format(text.count((result.items or {}).paired or 0, "item"),
    where and (" where " .. text.clean(where)) or "")
end

local function verdict_text(view, verdict) return view.paint(text.verdict_colour(verdict), (verdict:gsub("_", " "))) end

---@class evalua.report.comparison_options
---@field only string|nil list only items that "regressed", "improved" or "changed"
---@field limit integer|nil of each list
---@field scorers string[]|nil only these scorers and metrics

-- What comes under the table of scorers.
local function put_items(view, store, result, options)
  local limit = options.limit or LISTED
  put_new_failures(view, result, limit)
  if options.only ~= "improved" then
    put_changes(view, result.regressions, "regressed", limit)
    put_diffs(view, store, result)
  end
  if options.only ~= "regressed" then put_changes(view, result.improvements, "improved", limit) end
end

---One comparison.
---@param view evalua.report.view
---@param store table
---@param result table a comparison as evalua.compare makes it
---@param options evalua.report.comparison_options
function comparison.put(view, store, result, options)
  put(view, view.paint("bold", title(result.candidate)), " against ", view.paint("bold", title(result.baseline)), ": ",
    verdict_text(view, result.verdict))
  put_warnings(view, result)
  put(view, paired_text(result))
  put_scorers(view, result, options.scorers)
  put_slices(view, result, options.scorers)
  put_rest(view, result)
  put_items(view, store, result, options)
end

-- The baseline's own row: what the others are held against.
local function baseline_row(id, results)
  for _, result in ipairs(results) do
    local entry = result.scorers[id] or (present(result.metrics) or {})[id]
    local mean = entry and present(entry.baseline_mean)
    if mean then return mean end
  end
end

local function ids_of(results, wanted)
  if wanted then return wanted end
  local seen, list = {}, {}
  for _, map_name in ipairs { "scorers", "metrics" } do
    local found = {}
    for _, result in ipairs(results) do
      for id in pairs(present(result[map_name]) or {}) do found[id] = true end
    end
    for _, id in ipairs(sorted_keys(found)) do
      if not seen[id] then list[#list + 1] = id end
      seen[id] = true
    end
  end
  return list
end

---Several runs against the first, in one table.
---@param view table
---@param results table[] comparisons with the same baseline
---@param wanted string[]|nil only these scorers and metrics
function comparison.put_table(view, results, wanted)
  local rows = {}
  for _, id in ipairs(ids_of(results, wanted)) do
    local mean = baseline_row(id, results)
    rows[#rows + 1] = { text.clean(id), title(results[1].baseline), "", "", text.number(mean and mean + 0.0), "", "",
      "", "", "", "", "baseline", "" }
    for _, result in ipairs(results) do
      local entry = result.scorers[id] or (present(result.metrics) or {})[id]
      if entry then rows[#rows + 1] = row_of({ "", title(result.candidate) }, entry) end
    end
  end
  put_table(view, { { title = "scorer", flexible = true }, { title = "run", flexible = true, minimum = 14 } }, rows,
    confidence_of(results[1]))
end

---Several comparisons with the same baseline: the table of all, then what each says of its items.
---@param view table
---@param store table
---@param results table[]
---@param options evalua.report.comparison_options
function comparison.put_all(view, store, results, options)
  put(view, ("%s, each against the first, "):format(text.count(#results + 1, "run")),
    view.paint("bold", title(results[1].baseline)))
  put(view, "")
  comparison.put_table(view, results, options.scorers)
  for _, result in ipairs(results) do
    put(view, "")
    put(view, view.paint("bold", title(result.candidate)), ": ", verdict_text(view, result.verdict), ", ",
      paired_text(result))
    put_warnings(view, result)
    put_notes(view, entries_of(result, options.scorers))
    put_slices(view, result, options.scorers)
    put_rest(view, result)
    put_items(view, store, result, { only = options.only, limit = options.limit or DIFFS_SHOWN })
  end
end

return comparison
