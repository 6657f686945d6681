-- Baseline files: accepted runs of an experiment, all its variants in one reviewable JSON file with one line an item.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local run_sheet = require "evalua.run_sheet"
local summary = require "evalua.summary"
local sys = require "evalua.native.sys"
local trials = require "evalua.trials"

local baseline = {}

---The newest format that is read and written.
baseline.FORMAT_VERSION = 1

local FORMAT = "evalua baseline"
local FILE_BYTES_MAX = 256 * 1024 * 1024
local ENDING = ".baseline.json"

---@class evalua.baseline_entry
---@field variant string|nil
---@field completed_at string|nil
---@field git table|nil
---@field dataset { name: string, version: integer, digest: string|nil }
---@field target { type: string|nil, id: string|nil, version: string|nil, digest: string|nil }
---@field trials table|nil { count, reducer }
---@field scorers table[] { id, step_id, higher_is_better, pass, digest, n, mean }
---@field latency_ms table|nil
---@field usage table|nil
---@field metrics table[]|nil { id, kind, columns, options, digest, value, ci, n }
---@field sheet evalua.run_sheet

---@class evalua.baseline_file
---@field path string
---@field experiment string
---@field variants evalua.baseline_entry[] by the names of the variants, the one without a name first

---The name of an experiment's baseline file.
---@param experiment_name string
---@return string
function baseline.file_name(experiment_name) return (experiment_name:gsub("[%c%s/\\:*?\"<>|]", "-")) .. ENDING end

local BEGINNING_BYTES = 256 -- in which a baseline says that it is one

-- True for a file that says of itself that it is a baseline, whatever its name.
local function is_baseline(path)
  if sys.exists(path) ~= "file" then return false end
  local file = io.open(path, "rb")
  local beginning = file and file:read(BEGINNING_BYTES) or ""
  if file then file:close() end
  return beginning:find('^%s*{%s*"format"%s*:%s*"evalua baseline"') ~= nil
end

---True where `text` means a file and not another kind of REF.
---@param text string
---@return boolean
function baseline.is_file_name(text)
  local path = text:match("^(.*)%[[^%[%]]*%]$") or text
  return path:match("%.json$") ~= nil or text:match("%.json$") ~= nil or path:find("/", 1, true) ~= nil
    and sys.exists(path) == "file" or is_baseline(path)
end

-- Reading ----------------------------------------------------------------------------------------------------------

local function present(value)
  if value == nil or value == json.null then return nil end
  return value
end

local function is_text(value) return type(value) == "string" and value ~= "" end

-- What stands in place of a baseline.
local function not_json(path, text, problem)
  if text:find("^<<<<<<< ") or text:find("\n<<<<<<< ") then
    fail.usage("%s: the baseline has conflict marks of git; choose a side, or write it anew with `evalua accept`",
      path)
  elseif text:sub(1, 60):find(FORMAT, 1, true) then
    fail.usage("%s: the baseline is truncated or damaged (%s); restore it from git, or remove it and write it anew "
      .. "with `evalua accept`", path, problem)
  end
  fail.usage("%s: it is not JSON, so no baseline (%s); `evalua accept` writes baselines", path, problem)
end

local function check_head(path, found)
  if type(found) ~= "table" or json.is_array(found) or found.format ~= FORMAT then
    fail.usage('%s: it is JSON, but no baseline: its "format" is not "%s"; `evalua accept` writes baselines', path,
      FORMAT)
  end
  local version = found.version
  if math.type(version) ~= "integer" or version < 1 then
    fail.usage('%s: the baseline has no proper format version: "version" is %s', path, json.encode(version))
  elseif version > baseline.FORMAT_VERSION then
    fail.usage("%s: the baseline has format version %d, and this evalua reads up to %d; update evalua, or write it "
      .. "anew with `evalua accept`", path, version, baseline.FORMAT_VERSION)
  end
  if not is_text(found.experiment) or not json.is_array(found.variants) then
    fail.usage('%s: the baseline is damaged: "experiment" and "variants" must name what was accepted', path)
  end
end

local function entry_of(path, found, position)
  local where = ("variants[%d]"):format(position)
  local function damaged(what) fail.usage("%s: the baseline is damaged: %s %s", path, where, what) end
  local wrong = require("evalua.baseline_check").problem(found)
  if wrong then damaged(wrong) end
  local sheet, problem = run_sheet.of_list(present(found.items))
  if not sheet then damaged(problem) end
  local count = found.item_count
  if count ~= #sheet.order then
    damaged(("says that it has %s items and has %d: lines are missing, or were merged badly"):format(tostring(count),
      #sheet.order))
  end
  return {
    variant = found.variant, completed_at = found.completed_at, git = found.git,
    dataset = found.dataset, target = found.target or {}, trials = found.trials, scorers = found.scorers,
    latency_ms = found.latency_ms, usage = found.usage, sheet = sheet, metrics = present(found.metrics),
  }
end

---Reads a baseline file. Raises (exit 2) where it is absent, no JSON, truncated, of another kind or of a newer format.
---@param path string
---@return evalua.baseline_file
function baseline.read(path)
  local kind = sys.exists(path)
  if kind ~= "file" then
    fail.usage("%s: %s; `evalua accept` writes baselines", path,
      kind and "it is a directory, not a baseline file" or "there is no such baseline file")
  end
  local text, problem = sys.read_file(path, FILE_BYTES_MAX)
  if not text then fail.usage("%s: the baseline cannot be read: %s", path, tostring(problem)) end
  local found, reason = json.decode(text)
  if found == nil then not_json(path, text, tostring(reason)) end
  check_head(path, found)
  local file, seen = { path = path, experiment = found.experiment, variants = {} }, {}
  for position, variant in ipairs(found.variants) do
    local entry = entry_of(path, variant, position)
    local name = entry.variant or ""
    if seen[name] then
      fail.usage('%s: the baseline is damaged: it has the variant "%s" twice', path, name)
    end
    seen[name] = true
    file.variants[position] = entry
  end
  if #file.variants == 0 then
    fail.usage("%s: the baseline has no variant; write it anew with `evalua accept`", path)
  end
  return file
end

---The entry of a variant, or nil.
---@param file evalua.baseline_file
---@param variant string|nil
---@return evalua.baseline_entry|nil
function baseline.entry(file, variant)
  for _, entry in ipairs(file.variants) do if (entry.variant or "") == (variant or "") then return entry end end
  return nil
end

-- The entry of a variant, else of the only one that has these pairs.
local function entry_named(file, wanted)
  local exact = baseline.entry(file, wanted)
  if exact then return exact end
  local found = {}
  for _, entry in ipairs(file.variants) do
    if require("evalua.variant").matches(entry.variant, wanted) then found[#found + 1] = entry end
  end
  return #found == 1 and found[1] or nil
end

---The names of a file's variants, for messages.
---@param file evalua.baseline_file
---@return string[]
function baseline.variant_names(file)
  local names = {}
  for position, entry in ipairs(file.variants) do names[position] = entry.variant or "(without a variant)" end
  return names
end

-- As a record ------------------------------------------------------------------------------------------------------

local function metric_values_of(metrics)
  if not metrics then return nil end
  local values = {}
  for _, metric in ipairs(metrics) do
    values[metric.id] = { kind = metric.kind, value = metric.value, ci = metric.ci, n = metric.n,
      higher_is_better = metric.higher_is_better ~= false }
  end
  return values
end

---An entry in the shape of a record of the store, for comparisons and reports. Stores of evalua.baseline_store know it.
---@param file evalua.baseline_file
---@param entry evalua.baseline_entry
---@return table record with `baseline_file` and `baseline_entry`
function baseline.record(file, entry)
  return {
    id = ("baseline:%s[%s]"):format(sys.realpath(file.path) or file.path, entry.variant or ""),
    name = file.experiment, variant = entry.variant, status = "completed", verdict = "none",
    dataset_name = entry.dataset.name, dataset_version = present(entry.dataset.version),
    dataset_digest = present(entry.dataset.digest), target_type = present(entry.target.type),
    target_id = present(entry.target.id), target_version = present(entry.target.version),
    scorers = json.encode(entry.scorers), options = entry.trials and json.encode {
      trials = entry.trials.count, reducer = entry.trials.reducer,
    } or nil,
    git = entry.git and json.encode(entry.git) or nil, total_items = #entry.sheet.order,
    metrics = entry.metrics and json.encode(entry.metrics), metric_values = metric_values_of(entry.metrics),
    completed_at = entry.completed_at, created_at = entry.completed_at, baseline_file = file.path,
    baseline_entry = entry,
  }
end

---The record that `FILE` or `FILE[variant]` names; with several variants and none named, that of `variant`.
---Raises (exit 2) where there is none.
---@param text string
---@param variant string|nil
---@return table record
function baseline.resolve(text, variant)
  local path, named = text, nil
  if sys.exists(text) ~= "file" then
    local base, inner = text:match("^(.*)%[([^%[%]]*)%]$")
    if base then path, named = base, inner end
  end
  local file = baseline.read(path)
  local entry
  if named then
    entry = entry_named(file, named)
  else
    entry = #file.variants == 1 and file.variants[1] or baseline.entry(file, variant)
  end
  if entry then return baseline.record(file, entry) end
  local names = table.concat(baseline.variant_names(file), ", ")
  if named then fail.usage("%s: the baseline has no variant %s; it has %s", path, named, names) end
  fail.usage("%s: the baseline has several variants; write 'FILE[variant]' with one of: %s", path, names)
end

-- Writing ----------------------------------------------------------------------------------------------------------

-- Microseconds are enough, and change less.
local function rounded(latencies)
  if not latencies then return nil end
  local kept = {}
  for name, value in next, latencies do kept[name] = math.floor(value * 1000 + 0.5) / 1000 end
  return kept
end

local function is_human(key) return key:find("^human/") ~= nil end

-- A later run has no review yet: what people said of this one cannot gate it.
local function without_people(sheet)
  for _, row in ipairs(sheet.order) do
    for _, map in ipairs { row.scores, row.labels or {} } do
      for key in next, map do if is_human(key) then map[key] = nil end end
    end
    if row.labels and not next(row.labels) then row.labels = nil end
    for position = #(row.unscored or {}), 1, -1 do
      if is_human(row.unscored[position]) then table.remove(row.unscored, position) end
    end
    if row.unscored and #row.unscored == 0 then row.unscored = nil end
  end
  return sheet
end

-- The metrics of a run: what they are, and their values.
local function metrics_of(record)
  local values, list = summary.stored_metrics(record) or {}, json.array {}
  for _, definition in ipairs(summary.decoded(record.metrics) or {}) do
    local found = values[definition.id] or {}
    list[#list + 1] = { id = definition.id, kind = definition.kind, columns = definition.columns,
      options = definition.options, digest = definition.digest, value = found.value, ci = found.ci, n = found.n,
      higher_is_better = found.higher_is_better }
  end
  return #list > 0 and list or nil
end

-- The values of an accessor in the trials of an item, by trial.
local function values_of_trials(rows, column)
  local value, list, found, last = require("evalua.metric_rows").value, json.array {}, false, 0
  for _, row in ipairs(rows) do
    local of_trial = value(row, column)
    found = found or of_trial ~= false
    for trial = last + 1, row.trial do list[trial] = json.null end
    last = row.trial
    if of_trial then list[last] = of_trial end
  end
  return found and list or nil
end

-- A function that keeps, of each item, what the run's metrics measure and neither item nor scores say; nil for none.
-- Of several trials the scores are reduced, so theirs are kept too.
local function value_keeper(record)
  local metrics, metric_rows = require "evalua.metrics", require "evalua.metric_rows"
  local is_repeated, wanted = trials.of_record(record) ~= nil, {}
  for _, definition in ipairs(summary.decoded(record.metrics) or {}) do
    local metric = metrics.of_definition(definition)
    for _, column in ipairs(metric and metric.columns or {}) do
      if not metrics.is_of_item(column) and (is_repeated or not metrics.is_of_score(column)) then
        wanted[column] = true
      end
    end
  end
  if next(wanted) == nil then return nil end
  return function(rows, entry)
    for column in next, wanted do
      local value
      if is_repeated then value = values_of_trials(rows, column) else value = metric_rows.value(rows[1], column) end
      if value then
        entry.values = entry.values or {}
        entry.values[column] = value
      end
    end
  end
end

-- What a run leaves in the file.
local function entry_from(store, record)
  local options = summary.decoded(record.options) or {}
  local built = summary.build(store, record)
  local scorers = json.array {}
  for _, definition in ipairs(summary.scorers_of(store, record, true)) do
    local scorer = built.scorers[definition.key] or {}
    if not is_human(definition.key) then
      scorers[#scorers + 1] = {
        id = definition.id, step_id = definition.step_id, name = definition.name,
        higher_is_better = definition.higher_is_better, pass = definition.pass, digest = definition.digest,
        n = scorer.n, mean = scorer.mean,
      }
    end
  end
  local git = summary.decoded(record.git)
  return {
    variant = present(record.variant), completed_at = record.completed_at, git = git,
    dataset = { name = record.dataset_name, version = record.dataset_version, digest = record.dataset_digest },
    target = { type = record.target_type, id = record.target_id, version = record.target_version,
      digest = options.target_digest },
    trials = (options.trials or 1) > 1 and { count = options.trials, reducer = options.reducer } or nil,
    scorers = scorers, latency_ms = rounded(built.latency_ms), usage = built.usage,
    metrics = metrics_of(record), sheet = without_people(run_sheet.of_run(store, record, value_keeper(record))),
  }
end

local function line(name, value) return ("%s:%s"):format(json.encode(name), json.identity(value)) end

-- One field a line, one scorer a line, one item a line: what changes is what a diff shows.
local function entry_text(entry)
  local fields = {}
  for _, name in ipairs { "variant", "completed_at", "git", "dataset", "target", "trials", "latency_ms", "usage" } do
    if entry[name] ~= nil then fields[#fields + 1] = line(name, entry[name]) end
  end
  local scorers = {}
  for position, scorer in ipairs(entry.scorers) do scorers[position] = json.identity(scorer) end
  fields[#fields + 1] = '"scorers":[' .. (#scorers > 0 and "\n" .. table.concat(scorers, ",\n") .. "\n" or "") .. "]"
  if entry.metrics then
    local metrics = {}
    for position, metric in ipairs(entry.metrics) do metrics[position] = json.identity(metric) end
    fields[#fields + 1] = '"metrics":[\n' .. table.concat(metrics, ",\n") .. "\n]"
  end
  fields[#fields + 1] = line("item_count", #entry.sheet.order)
  local items = run_sheet.lines(entry.sheet)
  fields[#fields + 1] = '"items":[' .. (#items > 0 and "\n" .. table.concat(items, ",\n") .. "\n" or "") .. "]"
  return "{\n" .. table.concat(fields, ",\n") .. "\n}"
end

---The text of a baseline file.
---@param experiment_name string
---@param entries evalua.baseline_entry[]
---@return string
function baseline.text(experiment_name, entries)
  table.sort(entries, function(a, b) return (a.variant or "") < (b.variant or "") end)
  local texts = {}
  for position, entry in ipairs(entries) do texts[position] = entry_text(entry) end
  return ('{\n"format":%s,\n"version":%d,\n"experiment":%s,\n"variants":[\n%s\n]\n}\n'):format(json.encode(FORMAT),
    baseline.FORMAT_VERSION, json.encode(experiment_name), table.concat(texts, ",\n"))
end

---Writes runs of one experiment to its file; variants that the file has already and that are not among them stay.
---@param store table
---@param records table[] of one name, each of another variant
---@param path string
---@return string[] kept the variants that the file had and keeps
function baseline.write(store, records, path)
  local entries, is_new, kept = {}, {}, {}
  for position, record in ipairs(records) do
    entries[position] = entry_from(store, record)
    is_new[record.variant or ""] = true
  end
  if sys.exists(path) then
    local file = baseline.read(path)
    if file.experiment ~= records[1].name then
      fail.usage("%s: it is the baseline of experiment %s, not of %s; name another file with -o", path, file.experiment,
        records[1].name)
    end
    for _, entry in ipairs(file.variants) do
      if not is_new[entry.variant or ""] then
        entries[#entries + 1] = entry
        kept[#kept + 1] = entry.variant or ""
      end
    end
  end
  local done, problem = sys.write_file(path,
    require("evalua.secrets").redact(baseline.text(records[1].name, entries)))
  if not done then fail.incomplete("%s: the baseline cannot be written: %s", path, tostring(problem)) end
  return kept
end

return baseline
