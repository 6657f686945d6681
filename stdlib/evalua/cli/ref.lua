-- REF: what names an experiment on the command line.

local fail = require "evalua.cli.fail"
local strict = require "evalua.strict"
local variants = require "evalua.variant"

local ref = {}

local PREFIX_CHARACTERS_MIN = 4
local RUNS_LOOKED_AT = 1000 -- of one name, for its variants

ref.help = [[
REF names one experiment of the store:
  12              its number
  0192f3c4        its id, or the beginning of it (at least 4 characters)
  latest          the newest one; latest~2 is two before it
  NAME            the newest one of that name; NAME~1 is the one before it
  NAME[variant]   the newest one of that variant: 'qa[prompt=short]', also with ~N; as much of the variant as is clear
  REF@SET         a run with the scores of a score set that `evalua score` made: 12@rescored, latest@rescored, where
                  runs are compared or shown
  FILE            a baseline file that `evalua accept` wrote (*.json), where runs are compared or shown; FILE[variant]
]]

local function names_of(store)
  local names, seen = {}, {}
  for _, record in ipairs(store:experiments { limit = 1000 }) do
    if not seen[record.name] then
      seen[record.name] = true
      names[#names + 1] = record.name
    end
  end
  return names
end

-- The experiment `back` places before the newest one that the query finds.
local function nth(store, text, query, back)
  query.limit = back + 1
  local records = fail.check(fail.codes.incomplete, store:experiments(query))
  if #records > back then return records[back + 1] end
  if #records == 0 then return nil end
  fail.usage("%s: there are only %d such experiments; the oldest is %s~%d (number %d)", text, #records,
    text:gsub("~%d+$", ""), #records - 1, records[#records].number)
end

---The newest run of each variant of an experiment ("" is a variant, too), the newest first.
---@param store table
---@param name string
---@return table[] records
---@return table<string, integer> first the number of the oldest run of each variant
function ref.newest_of_variants(store, name)
  local list, first = {}, {}
  local found = fail.check(fail.codes.incomplete, store:experiments { name = name, limit = RUNS_LOOKED_AT })
  for _, record in ipairs(found) do
    local variant = record.variant or ""
    if not first[variant] then list[#list + 1] = record end
    first[variant] = record.number
  end
  return list, first
end

-- The names of the variants that an experiment has runs of, and those that `wanted` means.
local function variants_of(store, name, wanted)
  local names, found = {}, {}
  for _, record in ipairs(ref.newest_of_variants(store, name)) do
    local of = record.variant or ""
    if of ~= "" then
      names[#names + 1] = ("%s[%s]"):format(name, of)
      if variants.matches(of, wanted) then found[#found + 1] = of end
    end
  end
  table.sort(names)
  table.sort(found)
  return names, found
end

-- The run that `NAME[variant]` means: of that variant, else of the only one that has these pairs.
local function by_variant(store, text, base, back)
  local name, wanted = variants.split(base)
  if not name then return nil end
  local record = nth(store, text, { name = name, variant = wanted }, back)
  if record then return record end
  local names, found = variants_of(store, name, wanted)
  if #found == 1 then return nth(store, text, { name = name, variant = found[1] }, back) end
  if #found > 1 then
    fail.usage("%s: %d variants of %s have that; write more of one: %s", text, #found, name, table.concat(found, "; "))
  end
  if #names > 0 then fail.usage("there is no experiment %q%s", text, strict.hint(base, names, "variants")) end
end

local function by_prefix(store, text)
  if #text < PREFIX_CHARACTERS_MIN or not text:match("^[%x-]+$") then return nil end
  local records = fail.check(fail.codes.incomplete, store:experiments_by_prefix(text:lower()))
  if #records > 1 then
    local found = {}
    for position = 1, math.min(#records, 5) do
      found[position] = ("%d (%s %s)"):format(records[position].number, records[position].name, records[position].id)
    end
    fail.usage("%s is the beginning of %d ids: %s%s; write more of it, or the number", text, #records,
      table.concat(found, ", "), #records > #found and ", ..." or "")
  end
  return records[1]
end

-- A baseline file, where one is taken.
local function file_of(text, options)
  local baseline = require "evalua.baseline"
  if not baseline.is_file_name(text) then return nil end
  if not options.files then
    fail.usage("%s: a baseline file is no run of this store; name one, such as latest", text)
  end
  return require("evalua.baseline_store").add(baseline.resolve(text, options.variant))
end

-- The run and the set of "REF@SET"; an experiment's name may contain an @, too.
local function set_of(store, text)
  local base, set = require("evalua.score_sets").split(text)
  if not base or not store or store:experiments({ name = text, limit = 1 })[1] then return nil end
  return base, set
end

---The experiment that `text` names. Raises a failure (exit 2) where there is none, or more than one.
---@param store table|nil an open store; nil: only files are found
---@param text string
---@param options { files: boolean|nil, variant: string|nil, sets: boolean|nil, set: string|nil }|nil files: baseline
---  files are taken, too, of this variant; evalua.baseline_store.over(store) knows them. sets: score sets are taken,
---  too; set: the one that is meant where the text names none
---@return table record of the experiment
function ref.resolve(store, text, options)
  options = options or {}
  local file = file_of(text, options)
  if file then return file end
  local base, set = set_of(store, text)
  if set and not options.sets then
    fail.usage("%s: this command takes a run as a whole, not one of its score sets; name it %s", text, base)
  end
  set = set or options.set
  if not set then return ref.run(store, text) end
  return require("evalua.score_sets").over(store, ref.run(store, base or text), set, text)
end

---The run that `text` names: no file, no score set. Raises a failure (exit 2) as ref.resolve.
---@param store table|nil
---@param text string
---@return table record
function ref.run(store, text)
  if not store then fail.usage("%s: there is no store here yet; `evalua run` makes one", text) end
  if text:match("^%d+$") then
    local number = math.tointeger(tonumber(text))
    local record = number and store:experiment_by_number(number)
    record = record or by_prefix(store, text)
    if record then return record end
    local newest = store:experiments { limit = 1 }
    fail.usage("there is no experiment %s; %s", text,
      newest[1] and ("the newest is %d"):format(newest[1].number) or "the store has none yet")
  end
  local base, back = text:match("^(.*)~(%d+)$")
  base, back = base or text, math.tointeger(tonumber(back)) or 0
  local record
  if base == "latest" then
    record = nth(store, text, {}, back)
    if not record then fail.usage("%s: the store has no experiment yet; `evalua run` makes one", text) end
    return record
  end
  record = nth(store, text, { name = base }, back) or by_variant(store, text, base, back)
  if not record and base == text then record = by_prefix(store, text) end
  if record then return record end
  fail.usage("there is no experiment %q%s", text, strict.hint(base, names_of(store), "experiments"))
end

---How an experiment is called in reports: `qa [prompt=short] #12`.
---@param record table
---@return string
function ref.title(record)
  local variant = record.variant
  return ("%s%s #%d%s"):format(record.name, variant and variant ~= "" and (" [%s]"):format(variant) or "",
    record.number, record.score_set and ("@" .. record.score_set) or "")
end

return ref
