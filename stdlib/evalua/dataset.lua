-- Declared datasets: where their items come from, and bringing the store in line with them.

local fail = require "evalua.cli.fail"
local item = require "evalua.item"
local json = require "evalua.json"
local options = require "evalua.options"
local place = require "evalua.place"
local source = require "evalua.source"
local strict = require "evalua.strict"

local dataset = {}

local NAME_BYTES_MAX = 200
local ITEMS_PER_BREATH = 10000 -- between two calls of the collector while importing
local PAGE_ROWS = 500          -- read from the store at once
local AHEAD_ITEMS = 2000       -- checked before anything is written
local AHEAD_BYTES = 8 * 1024 * 1024

local LINES_AT_ONCE = 1000     -- put without a look at signals

local SYNC_ATTEMPTS = 20       -- where other processes change the same dataset

-- Raised where another process was faster: what was read is old, and doing it again is right.
local again = setmetatable({}, { __tostring = function() return "the dataset was changed by another process" end })

local schema = options.schema("eval.dataset", {
  { "name", "text", required = true, help = "unique in the store" },
  { "description", "string" },
  { "metadata", "map", data = true, help = "anything about the dataset" },
  { "tags", "table", data = true, help = "a list of strings, or a table of them" },
  { "items", "any", help = "a list, a function that returns a list or an iterator, or eval.csv / eval.jsonl" },
  { "file", "text", help = "a .csv, .tsv or .jsonl file instead of items" },
  { "mapping", "table|function", help = "which columns of the file make which fields" },
  { "version", "text|number", help = "stands for the definition instead of its digest" },
  { "target", "any", help = "the target for experiments that name none" },
  { "scorers", "list", help = "for experiments that name none" },
  { "input_schema", "map", later = true, help = "JSON Schema of inputs" },
  { "ground_truth_schema", "map", later = true, help = "JSON Schema of ground truths" },
})

dataset.fields = {
  "name", "description", "metadata", "tags", "scorers", "version", "digest", "owner", "each", "release", "inline",
  "file", "line", "place", "registry", "target",
}
local metatable = strict.metatable(dataset.fields, "dataset")

---Raises unless `name` can be the name of a dataset or an experiment.
---@param name string
---@param what string "eval.dataset"
---@param forbidden string characters that references need
function dataset.check_name(name, what, forbidden)
  local problem
  if #name > NAME_BYTES_MAX then
    problem = ("has %d bytes, the limit (NAME_BYTES_MAX) is %d"):format(#name, NAME_BYTES_MAX)
  elseif not utf8.len(name) or name:find("%c") then
    problem = "must be one line of UTF-8 text"
  elseif name:find("[" .. forbidden .. "]") then
    problem = ("cannot contain %s; references use it"):format(name:match("[" .. forbidden .. "]"))
  elseif name:match("^%s") or name:match("%s$") then
    problem = "begins or ends with white space"
  end
  if problem then place.fail(('option "name" of %s %s: %s'):format(what, problem, options.show(name))) end
end

-- An iterator over a list of items, as (item, where).
local function each_of_list(items, where)
  local index = 0
  return function()
    index = index + 1
    local raw = items[index]
    if raw == nil then return nil end
    return raw, ("%s: items[%d]"):format(where, index)
  end
end

-- An iterator over what the function of a dataset returns.
local function each_of_function(callback, where)
  local result, state, control = callback()
  if source.is(result) then return result:each(true) end
  if type(result) == "table" then
    local length, problem = options.length(result)
    if not length then fail.usage("%s: items() returned no proper list: %s", where, problem) end
    return each_of_list(result, where)
  end
  if type(result) ~= "function" then
    fail.usage("%s: items() must return a list or an iterator, not %s", where, options.show(result))
  end
  local count = 0
  return function()
    local raw = result(state, control)
    if raw == nil then return nil end
    control, count = raw, count + 1
    return raw, ("%s: items(), item %d"):format(where, count)
  end
end

-- The `each` of a declaration, for any kind of items.
local function each_of(items, where)
  if source.is(items) then return function() return items:each(true) end end
  if type(items) == "function" then return function() return each_of_function(items, where) end end
  if type(items) ~= "table" then
    place.fail(("items must be a list, a function, eval.csv or eval.jsonl, not %s"):format(options.show(items)))
  end
  local length, problem = options.length(items)
  if not length then place.fail("items is not a proper list: " .. problem) end
  return nil
end

-- Makes a declaration; its inline items are kept in an upvalue so that release can let go of them.
local function make(values, items, more)
  local where = more.place
  local each = each_of(items, where)
  local declaration = {
    name = values.name, description = values.description, metadata = values.metadata, tags = values.tags,
    scorers = values.scorers, version = values.version and tostring(values.version), owner = more.owner,
    inline = more.inline, file = more.file, line = more.line, place = where,
    registry = require("evalua.suite").current(), target = values.target,
  }
  if each then
    declaration.each = each
    declaration.release = function() end
  else
    declaration.each = function()
      if not items then error(('the items of dataset "%s" were released'):format(values.name), 0) end
      return each_of_list(items, where)
    end
    declaration.release = function() items = nil end
  end
  return setmetatable(declaration, metatable)
end

-- The suite that owns what is declared now: its absolute path.
local function owner()
  local path = require("evalua.suite").current().path
  if not path then return nil end
  return require("evalua.native.sys").realpath(path) or path
end

local function place_of()
  local caller = place.caller()
  return { owner = owner(), file = caller and caller.file, line = caller and caller.line,
    place = caller and caller.text or "dataset" }
end

---Declares a dataset (`eval.dataset{...}`).
---@param given table
---@return table declaration {name, description, metadata, tags, scorers, owner, each = function() -> iterator, release}
function dataset.declare(given)
  place.outside_items "eval.dataset"
  local values = options.check(schema, given)
  dataset.check_name(values.name, "eval.dataset", "@")
  local problem = options.tags_problem(values.tags, 'option "tags" of eval.dataset')
  if problem then place.fail(problem) end
  if (values.items == nil) == (values.file == nil) then
    place.fail(('dataset "%s" needs either items or file'):format(values.name))
  end
  if values.mapping and not values.file then
    place.fail('option "mapping" of eval.dataset goes with file; eval.csv and eval.jsonl take it themselves')
  end
  local items = values.file and source.file(values.file, values.mapping) or values.items
  local declaration = make(values, items, place_of())
  return require("evalua.suite").declare("dataset", values.name, declaration)
end

---The dataset of an experiment that lists its items itself.
---@param name string the experiment's
---@param items table|function
---@param where { text: string, file: string, line: integer } place of the experiment
---@return table declaration
function dataset.inline(name, items, where)
  return make({ name = name }, items, {
    inline = true, owner = owner(), file = where.file, line = where.line, place = where.text,
  })
end

---True for what eval.dataset returned.
---@param value any
---@return boolean
function dataset.is(value) return getmetatable(value) == metatable end

---Splits "name@version": the name, and a version number or an alias.
---@param reference string
---@return string name, integer|string|nil version
function dataset.split(reference)
  local name, version = reference:match("^(.-)@(.+)$")
  if not name then return reference, nil end
  return name, math.tointeger(tonumber(version)) or version
end

-- The dataset's record in the store, or nil; every other failure raises.
local function record_of(store, name)
  local record, message, code = store:dataset(name)
  if record or code == "not_found" then return record end
  fail.incomplete("%s", message)
end

---The record of a dataset that is only named. An unknown name is an error with the nearest one.
---@param store table
---@param name string
---@param declared string[]|nil names that the suite declares
---@param where string|nil
---@return table record
function dataset.require(store, name, declared, where)
  local record = record_of(store, name)
  if record then return record end
  local names, seen = {}, {}
  for _, known in ipairs(declared or {}) do names[#names + 1], seen[known] = known, true end
  for _, known in ipairs(store:datasets() or {}) do
    if not seen[known.name] then names[#names + 1] = known.name end
  end
  local message = ('there is no dataset "%s"%s'):format(name, strict.hint(name, names, "datasets"))
  fail.usage("%s", place.prefix(message, where))
end

---The number of a version: nil is the latest, text is an alias. One that does not exist is an error.
---@param store table
---@param record table
---@param version integer|string|nil
---@return integer
function dataset.version_number(store, record, version)
  if version == nil then return record.version end
  local found, message = store:version_get(record.id, version)
  if not found then fail.usage("%s", tostring(message)) end
  return found.version
end

local function encoded(value) return value ~= nil and json.encode(value) or nil end

---Iterates over the packed items of a version in their order, page by page.
---@param store table
---@param id string of the dataset
---@param version integer|nil nil: the latest
---@param given { ids: string[]|nil, search: string|nil }|nil
---@return fun(): table|nil
function dataset.each_packed(store, id, version, given)
  given = given or {}
  local after, rows, index = nil, {}, 0
  return function()
    index = index + 1
    if index > #rows then
      if after == false then return nil end
      local page, message = store:items(id, version, {
        after = after, limit = PAGE_ROWS, search = given.search, ids = given.ids,
      })
      if not page then fail.incomplete("%s", message) end
      rows, index = page, 1
      after = #rows == PAGE_ROWS and not given.ids and rows[#rows].position or false
    end
    return rows[index]
  end
end

-- Makes the dataset's record, or brings its description in line.
local function open_record(store, declaration, record, owner_path)
  local wanted = {
    description = declaration.description, metadata = encoded(declaration.metadata), tags = encoded(declaration.tags),
    owner = owner_path,
  }
  if not record then
    wanted.name = declaration.name
    local made, message, code = store:dataset_create(wanted)
    if not made and code == "exists" then error(again, 0) end
    if not made then fail.incomplete("%s", message) end
    return made
  end
  local changes = {}
  for _, name in ipairs { "description", "metadata", "tags", "owner" } do
    if wanted[name] ~= nil and wanted[name] ~= record[name] then changes[name] = wanted[name] end
  end
  if next(changes) then
    local done, message = store:dataset_update(record.id, changes)
    if not done then fail.incomplete("%s", message) end
  end
  return record
end

-- Reads the declared items as (packed, where). Problems are collected; packed is false for an item that has any.
-- Returns beside it the reader below, where there is one whose lines can be put as they stand.
local function each_declared(declaration, problems)
  local each, reader = declaration.each()
  local count, check = 0, nil
  return function()
    local raw, where = each()
    if raw == nil then return nil end
    count = count + 1
    where = where or ("%s: item %d"):format(declaration.place, count)
    if count % ITEMS_PER_BREATH == 0 then collectgarbage("step") end
    local packed = problems:pack(raw, where) or false
    if packed and (packed.scorers or packed.expect) then
      check = check or require("evalua.item_scorers").checker(declaration.registry)
      local problem = check(packed)
      if problem then problems:add(("%s: %s"):format(where, problem)) end
    end
    return packed, where
  end, reader
end

-- The first items, checked before anything is written: a small dataset with a mistake leaves no trace in the store.
local function read_ahead(next_item, problems)
  local buffer, bytes, places = {}, 0, {}
  while #buffer < AHEAD_ITEMS and bytes < AHEAD_BYTES do
    local packed, where = next_item()
    if packed == nil then return buffer, true end
    if packed then
      if not packed.auto_id and places[packed.item_id] then
        problems:add(('%s: the id "%s" is also that of the item at %s; ids must be unique'):format(where,
          packed.item_id, places[packed.item_id]))
      end
      places[packed.item_id] = where
      bytes = bytes + #packed.input + (packed.ground_truth and #packed.ground_truth or 0)
    end
    buffer[#buffer + 1] = { packed, where }
  end
  return buffer, false
end

-- The items of the buffer, which are let go one by one.
local function each_of_buffer(buffer)
  local index = 0
  return function()
    index = index + 1
    local entry = buffer[index]
    if not entry then return nil end
    buffer[index] = false
    return entry[1], entry[2]
  end
end

-- What a sync refuses: a problem of the item, or the end of it.
local function refuse_put(problems, message, code)
  if code == "busy" then error(again, 0) end
  if code ~= "exists" then fail.incomplete("%s", message) end
  problems:add(message)
end

-- Puts the lines that follow, up to one that needs a closer look.
local function put_lines(sync, reader, problems)
  while problems.count == 0 do
    local count, message, code = sync:put_lines(reader, LINES_AT_ONCE)
    if not count then refuse_put(problems, message, code) end
    if not count or count < LINES_AT_ONCE then return end
  end
end

-- Puts every item, as long as there is no problem; a later problem is only told. With a reader, which is that of
-- next_item, most lines never become Lua values.
local function put_all(sync, next_item, problems, reader)
  if reader then put_lines(sync, reader, problems) end
  for packed, where in next_item do
    if packed and problems.count == 0 then
      local done, message, code = sync:put(packed, where)
      if not done then refuse_put(problems, message, code) end
    end
    if reader then put_lines(sync, reader, problems) end
  end
end

-- Whether the declared items are those of the stored version, by their texts.
local function same_items(store, record, next_item)
  local stored = dataset.each_packed(store, record.id, record.version)
  for packed in next_item do
    local other = stored()
    if not packed or not other then return false end
    if packed.item_id ~= (packed.auto_id and other.item_id:gsub("~%d+$", "") or other.item_id) then return false end
    for _, name in ipairs(item.fields) do
      if name ~= "id" and packed[name] ~= other[name] then return false end
    end
  end
  return stored() == nil
end

-- Whose the dataset is from now on: a suite takes over what nobody has filled or whose owner's file is gone. What
-- belongs to others may be declared again with the same items only.
local function owner_of(store, declaration, record)
  if not record or record.version == 0 or record.owner == declaration.owner then return declaration.owner end
  if record.owner and declaration.owner and not require("evalua.native.sys").exists(record.owner) then
    return declaration.owner
  end
  if same_items(store, record, each_declared(declaration, item.collector())) then return record.owner end
  if record.owner == nil then
    fail.usage('%s: dataset "%s" was not made by a suite (an import, for example) and has other items; '
      .. "refer to it by name without declaring it, or give this one another name", declaration.place, declaration.name)
  end
  fail.usage('%s: dataset "%s" belongs to the suite %s, and %s declares other items under that name; '
    .. "give one of them another name", declaration.place, declaration.name, record.owner,
    declaration.owner or "this script")
end

local function refuse_problems(problems)
  local text = problems:text()
  if text then fail.usage("%s", text) end
end

-- Puts the items into an open sync, those of the buffer first, and commits it.
local function fill(sync, buffer, next_item, problems, reader)
  put_all(sync, each_of_buffer(buffer), problems)
  put_all(sync, next_item, problems, reader)
  refuse_problems(problems)
  local result, message, code = sync:finish()
  if not result and code == "busy" then error(again, 0) end
  if not result then fail.incomplete("%s", message) end
  return result
end

-- The first items of a declared dataset, unless its reader gives them all; raises where they are not in order.
local function checked_start(declaration)
  local problems = item.collector()
  local next_item, reader = each_declared(declaration, problems)
  if reader and (reader:check(AHEAD_ITEMS, AHEAD_BYTES) or 0) > 0 then return {}, next_item, problems, reader end
  local buffer, is_all = read_ahead(next_item, problems)
  if problems.count > 0 then
    if not is_all then for _ in next_item do end end -- counts the others
    refuse_problems(problems)
  end
  if #buffer == 0 then
    fail.usage('%s: dataset "%s" has no items; give it at least one', declaration.place, declaration.name)
  end
  return buffer, next_item, problems, reader
end

---Raises what is wrong with the first items of a declared dataset, before there is a store.
---@param declaration table
function dataset.check(declaration) checked_start(declaration) end

local function try_sync(store, declaration)
  local buffer, next_item, problems, reader = checked_start(declaration)
  local before = record_of(store, declaration.name)
  local record = open_record(store, declaration, before, owner_of(store, declaration, before))
  local sync, message = store:sync_begin(record.id, {
    message = declaration.file and ("from " .. declaration.file) or "from a script",
  })
  if not sync then fail.incomplete("%s", message) end
  local ok, result = pcall(fill, sync, buffer, next_item, problems, reader)
  if not ok then
    sync:abort()
    if not before and result ~= again then store:dataset_delete(record.id) end
    error(result, 0)
  end
  result.dataset_id, result.name = record.id, declaration.name
  return result
end

---Brings the store in line with a declared dataset: one new version, or none, in one transaction; a bad item leaves the
---dataset as it was. Raises failures {exit, message} that tell up to 20 problems.
---@param store table an open store, outside of a transaction
---@param declaration table
---@return table result {dataset_id, name, version, changed, added, updated, removed, duplicates, item_count, digest}
function dataset.sync(store, declaration)
  for attempt = 1, SYNC_ATTEMPTS do
    local ok, result = pcall(try_sync, store, declaration)
    if ok then return result end
    if result ~= again then error(result, 0) end
    if attempt < SYNC_ATTEMPTS then require("evalua.native.task").sleep(20 * attempt) end
  end
  fail.incomplete('%s: other processes kept changing dataset "%s"; try again when they have ended', declaration.place,
    declaration.name)
end

return dataset
