-- What an experiment runs: its dataset brought in line, the version pinned, the items that were asked for; and what can
-- be found wrong with that before anything runs.

local dataset = require "evalua.dataset"
local fail = require "evalua.cli.fail"
local item = require "evalua.item"
local place = require "evalua.place"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"

local selection = {}

local must = fail.must

---Problems of the target that can be seen before anything is written.
---@param experiment table
---@param settings table
function selection.check_target(experiment, settings)
  local check = rawget(experiment.target, "check")
  local problems = check and check(require("evalua.cache").mode_of_run(experiment, settings)) or {}
  if #problems > 0 then
    fail.usage("%s", place.prefix(table.concat(problems, "\n"), experiment.place))
  end
end

-- What declared datasets became, by declaration: experiments of one suite share a dataset, and its items are let go of
-- before the first fork.
local synced_datasets = setmetatable({}, { __mode = "k" })

local function sync_once(store, declaration)
  local known = synced_datasets[declaration]
  if known and known.store == store then return known.synced end
  local synced = dataset.sync(store, declaration)
  synced_datasets[declaration] = { store = store, synced = synced }
  return synced
end

-- The record of the dataset and the version to run. Declared datasets are brought in line first.
local function open_dataset(store, experiment)
  local wanted, notices = experiment.dataset, {}
  local declaration = wanted.declaration
  local record
  if declaration then
    local synced, is_known = sync_once(store, declaration), synced_datasets[declaration].is_told
    synced_datasets[declaration].is_told = true
    record = must(store:dataset_by_id(synced.dataset_id))
    if (synced.duplicates or 0) > 0 and not is_known then
      local one = synced.duplicates == 1
      notices[#notices + 1] = ('dataset "%s": %d %s the input of another one; %s got %s with ~2, ~3 ...')
        :format(record.name, synced.duplicates, one and "item has" or "items have", one and "it" or "they",
          one and "an id" or "ids")
    end
  else
    record = dataset.require(store, wanted.name, experiment.declared_datasets, experiment.place)
    experiment.attach(record)
  end
  local pinned = wanted.version or declaration and synced_datasets[declaration].synced.version
  local version = dataset.version_number(store, record, pinned)
  local found = must(store:version_get(record.id, version))
  return { id = record.id, name = record.name, version = version, digest = found.digest,
    item_count = must(store:item_count(record.id, version)) }, notices
end

local function refuse_absent(absent, dataset_name, where, near)
  local shown = table.concat(absent, ", ", 1, math.min(#absent, 20))
  if #absent > 20 then shown = ("%s and %d more"):format(shown, #absent - 20) end
  local hint = #absent == 1 and strict.nearest(absent[1], near)
  fail.usage("%s: %s has no item %s%s", where, dataset_name, shown,
    hint and ('; did you mean "%s"?'):format(hint) or "")
end

-- A selection by ids: names absent ones.
local function check_ids(store, data, ids, where)
  local rows = must(store:items(data.id, data.version, { ids = ids }))
  local found = {}
  for _, row in ipairs(rows) do found[row.item_id] = true end
  local absent = {}
  for _, id in ipairs(ids) do if not found[id] then absent[#absent + 1] = id end end
  if #absent == 0 then return end
  local near = {}
  if #absent == 1 then
    for packed in dataset.each_packed(store, data.id, data.version) do
      near[#near + 1] = packed.item_id
      if #near >= 5000 then break end
    end
  end
  refuse_absent(absent, ("dataset %s@%d"):format(data.name, data.version), where, near)
end

-- Of the items that failed in another run those that the dataset still has; the others are named.
local function still_there(store, data, failed_from)
  local found, kept, gone = {}, {}, {}
  for _, row in ipairs(must(store:items(data.id, data.version, { ids = failed_from.ids }))) do
    found[row.item_id] = true
  end
  for _, id in ipairs(failed_from.ids) do
    local list = found[id] and kept or gone
    list[#list + 1] = id
  end
  if #gone > 0 then
    sys.stderr_write(("evalua: %d of the items that failed in #%d are no longer in dataset %s: %s%s\n"):format(#gone,
      failed_from.number, data.name, table.concat(gone, ", ", 1, math.min(#gone, 5)), #gone > 5 and ", ..." or ""))
  end
  return kept
end

-- The ids to run, or nil for all; with what the run's record says about it.
local function select_items(store, experiment, data, settings, seed)
  local ids, predicate, failed_from = settings.items, nil, settings.failed_from
  if ids then check_ids(store, data, ids, "--items") end
  if failed_from then ids = still_there(store, data, failed_from) end
  if not ids and type(experiment.items) == "table" then
    ids = experiment.items
    check_ids(store, data, ids, experiment.place .. ": option items")
  elseif type(experiment.items) == "function" then
    predicate = experiment.items
  end
  local where = settings.where
  if predicate or where or settings.sample then
    local wanted = ids and {} or nil
    for _, id in ipairs(ids or {}) do wanted[id] = true end
    local kept = {}
    for packed in dataset.each_packed(store, data.id, data.version) do
      if not wanted or wanted[packed.item_id] then
        local record = (predicate or where) and item.unpack(packed)
        if (not predicate or predicate(record)) and (not where or where.matches(record, packed.item_id)) then
          kept[#kept + 1] = packed.item_id
        end
      end
    end
    ids = kept
  end
  if settings.sample and ids then
    ids = require("evalua.sample").of(ids, settings.sample, seed, function(id) return id end)
  end
  local chosen = ids or settings.limit
  local described = chosen and {
    items = settings.items, failed_from = failed_from and failed_from.number, where = where and where.text,
    limit = settings.limit, sample = settings.sample,
    of = data.item_count,
  } or nil
  return ids, described
end

---No item is left to run.
function selection.refuse_empty(experiment, data, settings)
  fail.usage("%s: experiment %s selects no item of dataset %s@%d, which has %d%s", experiment.place or "run",
    experiment.name, data.name, data.version, data.item_count,
    settings.where and (" (--where %s matches none)"):format(settings.where.text) or "")
end

---What would run, without a trace in the store.
---@param experiment table
---@param settings table
---@return table { name, variant, total_items }
function selection.dry_run(experiment, settings)
  local store, declaration = settings.store, experiment.dataset.declaration
  selection.check_target(experiment, settings)
  local count, wanted, seen = 0, nil, {}
  local ids = settings.items or type(experiment.items) == "table" and experiment.items or nil
  if ids then
    wanted = {}
    for _, id in ipairs(ids) do wanted[id] = true end
  end
  local function consider(packed)
    if wanted and not wanted[packed.item_id] then return end
    seen[packed.item_id] = true
    local record = (settings.where or type(experiment.items) == "function") and item.unpack(packed)
    if type(experiment.items) == "function" and not experiment.items(record) then return end
    if settings.where and not settings.where.matches(record, packed.item_id) then return end
    count = count + 1
  end
  if declaration then
    for raw, where in declaration.each() do consider(item.pack(raw, where)) end
  elseif store then
    local record = dataset.require(store, experiment.dataset.name, nil, experiment.place)
    local version = dataset.version_number(store, record, experiment.dataset.version)
    for packed in dataset.each_packed(store, record.id, version) do consider(packed) end
  else
    fail.usage("%s", place.prefix(('there is no dataset "%s"; the store does not exist yet'):format(
      experiment.dataset.name), experiment.place))
  end
  for _, id in ipairs(ids or {}) do
    if not seen[id] then fail.usage('--items: the dataset has no item "%s"', id) end
  end
  return { name = experiment.name, variant = experiment.variant, total_items = math.min(count,
    settings.limit or settings.sample or count) }
end

-- The ids that are asked for must be among the declared items: seen before the store is touched.
local function check_declared_ids(experiment, ids, what)
  local wanted, near, left = {}, {}, #ids
  for _, id in ipairs(ids) do wanted[id] = true end
  local count = left
  for raw, where in experiment.dataset.declaration.each() do
    local packed = item.check(raw)
    local id = packed and packed.item_id or nil
    if id and wanted[id] then
      wanted[id] = nil
      count = count - 1
      if count == 0 then return end
    end
    if id and #near < 5000 then near[#near + 1] = id end
    if not packed then return where end -- the sync tells what is wrong with it
  end
  local absent = {}
  for _, id in ipairs(ids) do
    -- ids of equal inputs (~2, ~3 ...) are given by the store
    if wanted[id] and not id:find("~%d+$") then absent[#absent + 1] = id end
  end
  if #absent > 0 then refuse_absent(absent, ("dataset %s"):format(experiment.dataset.name), what, near) end
end

---Finds what can be found wrong with an experiment without writing anything. `settings.store` is nil where there is no
---store yet.
---@param experiment table
---@param settings table
function selection.check(experiment, settings)
  selection.check_target(experiment, settings)
  local declaration = experiment.dataset.declaration
  if not declaration then
    if settings.store then return end
    local declared = experiment.declared_datasets or {}
    fail.usage("%s", place.prefix(('there is no dataset "%s"%s'):format(experiment.dataset.name,
      strict.hint(experiment.dataset.name, declared, "datasets")), experiment.place))
  end
  if not settings.store then dataset.check(declaration) end
  if settings.items then
    check_declared_ids(experiment, settings.items, "--items")
  elseif type(experiment.items) == "table" then
    check_declared_ids(experiment, experiment.items, experiment.place .. ": option items")
  end
end

---Brings the dataset of an experiment in line and selects its items, so that what is wrong with any experiment is found
---before the first one runs. `run` does it itself where it was not called.
---@param experiment table
---@param settings table as for run
---@return table prepared
function selection.prepare(experiment, settings)
  selection.check_target(experiment, settings)
  require("evalua.cache_keeper").prepare(experiment, settings)
  local store = settings.store
  local data, notices = open_dataset(store, experiment)
  -- A dataset of the store may have given the experiment its target.
  if not experiment.dataset.declaration then selection.check_target(experiment, settings) end
  local seed = settings.seed or experiment.seed or 0
  local ids, described = select_items(store, experiment, data, settings, seed)
  if ids and #ids == 0 then selection.refuse_empty(experiment, data, settings) end
  experiment.prepared = { data = data, notices = notices, ids = ids, selection = described }
  return experiment.prepared
end

return selection
