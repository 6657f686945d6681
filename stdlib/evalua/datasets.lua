-- eval.datasets: datasets of the store, made and changed by scripts.

local dataset = require "evalua.dataset"
local fail = require "evalua.cli.fail"
local item = require "evalua.item"
local json = require "evalua.json"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local datasets = {}

local PER_PAGE = 20 -- of items{page = n}, as in the reference API

local create_schema = options.schema("eval.datasets.create", {
  { "name", "text", required = true, help = "unique in the store" },
  { "description", "string" },
  { "metadata", "map" },
  { "tags", "table", help = "a list of strings, or a table of them" },
  { "input_schema", "map", later = true, help = "JSON Schema of inputs" },
  { "ground_truth_schema", "map", later = true, help = "JSON Schema of ground truths" },
  { "target", "text", help = "id of the target for experiments that name none" },
  { "scorers", "list", of = "text", help = "ids of the scorers for experiments that name none" },
})

local get_schema = options.schema("eval.datasets.get", {
  { "name", "text", help = "the dataset's name" },
  { "id", "text", help = "the dataset's id" },
})

local list_schema = options.schema("eval.datasets.list", {
  { "name", "text", help = "only that name" },
  { "tags", "table", help = "only those with all these tags: a list, or names with their values" },
  { "experiment", "text", help = "only the one that this experiment ran" },
})

local items_schema = options.schema("dataset:items", {
  { "version", "integer|text", help = "a version or an alias; default the latest" },
  { "page", "integer", min = 0, help = "one page, counted from 0" },
  { "per_page", "integer", default = PER_PAGE, min = 1, help = "items of a page" },
  { "search", "text", help = "only items with this text in input or ground truth" },
  { "where", "text|function", help = "a Lua expression over the item's fields, or a predicate" },
  { "ids", "list", of = "text", help = "only these items" },
})

local function store() return require("evalua.store_context").current() end

-- The value, or a failure of the store as an error.
local function must(value, message, code)
  if value ~= nil then return value end
  if code == "not_found" or code == "exists" or code == "argument" then place.fail(tostring(message)) end
  fail.incomplete("%s", tostring(message))
end

local function encode(name, value)
  if value == nil then return nil end
  local ok, text = pcall(json.encode, value)
  if not ok then place.fail(('option "%s": %s'):format(name, tostring(text))) end
  return text
end

local function decode(text)
  local value = type(text) == "string" and json.decode(text) or nil
  if value == json.null then return nil end
  return value
end

-- ==== Handles ====

local record_fields = {
  "id", "name", "description", "metadata", "tags", "version", "digest", "item_count", "owner", "created_at",
  "updated_at", "scorers", "target",
}
local json_record_fields = { metadata = true, tags = true, scorers = true }
local methods = {}

local handle_metatable = { __name = "evalua.dataset_handle" }

-- Fields are read from the store each time, so that they are never stale.
handle_metatable.__index = function(self, key)
  if methods[key] then return methods[key] end
  if not strict.contains(record_fields, key) then
    local names = table.move(record_fields, 1, #record_fields, 1, strict.keys(methods))
    place.fail(('unknown field "%s" of a dataset%s'):format(tostring(key), strict.hint(key, names, "its fields")))
  end
  local value = must(store():dataset_by_id(rawget(self, "dataset_id")))[key]
  if json_record_fields[key] then return decode(value) end
  return value
end

local function handle_of(record) return setmetatable({ dataset_id = record.id }, handle_metatable) end

---True for handles of eval.datasets.
---@param value any
---@return boolean
function datasets.is_handle(value) return getmetatable(value) == handle_metatable end

-- Packs raw items; raises all their problems.
local function pack_all(list, what)
  local problems, packed, seen = item.collector(), {}, {}
  for index, raw in ipairs(list) do
    local where = ("%s: item %d"):format(what, index)
    local one = problems:pack(raw, where)
    if one and not one.auto_id then
      if seen[one.item_id] then
        problems:add(('%s: the id "%s" is also that of item %d'):format(where, one.item_id, seen[one.item_id]))
      end
      seen[one.item_id] = index
    end
    packed[#packed + 1] = one
  end
  local text = problems:text()
  if text then place.fail(text) end
  return packed
end

-- A list that may carry named options beside its elements.
local function split_list(given, what, known)
  if type(given) ~= "table" then place.fail(("%s takes a list, not %s"):format(what, options.show(given))) end
  local list, named = {}, {}
  for key, value in next, given do
    if math.type(key) == "integer" then
      list[key] = value
    elseif strict.contains(known, key) then
      named[key] = value
    else
      place.fail(('unknown option "%s" of %s%s'):format(tostring(key), what, strict.hint(key, known, "its options")))
    end
  end
  local length, problem = options.length(list)
  if not length then place.fail(("%s: not a proper list: %s"):format(what, problem)) end
  return list, named
end

---Adds items, or replaces those of the same id: one version, or none where nothing changes.
---@param given table items; message: a note on the version
---@return table result {version, changed, added, updated}
function methods:add_items(given)
  local list, named = split_list(given, "dataset:add_items", { "message" })
  if #list == 0 then place.fail("dataset:add_items: the list is empty") end
  local packed = pack_all(list, "dataset:add_items")
  return must(store():change_items(self.id, { put = packed, message = named.message }))
end

-- An id as the store has it: a number is its text.
local function id_text(id, what)
  local text, problem = item.id_text(id)
  if not text then place.fail(("%s: %s"):format(what, problem or "the id of an item is missing")) end
  return text
end

local function item_by_id(self, id)
  id = id_text(id, "dataset:update_item")
  local found = must(store():items(self.id, self.version, { ids = { id } }))
  if not found[1] then place.fail(('dataset "%s" has no item "%s"'):format(self.name, tostring(id))) end
  return found[1]
end

---Changes fields of one item; eval.null takes a field away.
---@param id string
---@param patch table fields of the item
---@return table result {version, changed}
function methods:update_item(id, patch)
  if type(patch) ~= "table" then
    place.fail("dataset:update_item takes the item's id and a table of fields, not " .. options.show(patch))
  end
  if patch.id ~= nil and item.id_text(patch.id) ~= item.id_text(id) then
    place.fail("dataset:update_item cannot change the id of an item; delete it and add another")
  end
  local before = item_by_id(self, id)
  local raw = {}
  for _, field in ipairs(item.fields) do
    local value = patch[field]
    if value == nil and before[field] then value = json.decode(before[field]) end
    raw[field] = value
  end
  for key, value in next, patch do raw[key] = value end
  raw.id = before.item_id
  local packed = pack_all({ raw }, "dataset:update_item")
  return must(store():change_items(self.id, { put = packed, must_exist = true }))
end

---Deletes items; their history stays.
---@param given table ids; message: a note on the version
---@return table result {version, changed, removed}
function methods:delete_items(given)
  local list, named = split_list(given, "dataset:delete_items", { "message" })
  local ids = {}
  for index, id in ipairs(list) do
    ids[index] = id_text(id, ("dataset:delete_items: element %d"):format(index))
  end
  return must(store():change_items(self.id, { delete = ids, message = named.message, must_exist = true }))
end

-- The number of a version that a script names.
local function version_number(record, version)
  local ok, found = pcall(dataset.version_number, store(), record, version)
  if not ok then place.fail(tostring(found)) end
  return found
end

-- The predicate of a `where` option.
local function predicate(where)
  if where == nil then return nil end
  if type(where) == "function" then return where end
  local expression = require("evalua.cli.where")
  local filter = expression.compile(where, expression.item_fields, "where")
  return function(record) return filter.matches(record, record.id) end
end

---The items of a version in their order, as a list of item records.
---@param given table|nil version, page, per_page, search, where, ids
---@return table[] items
function methods:items(given)
  local values = options.check(items_schema, given or {})
  local record = must(store():dataset_by_id(self.id))
  local version = version_number(record, values.version)
  local matches = predicate(values.where)
  local first = values.page and values.page * values.per_page or 0
  local last = values.page and first + values.per_page or math.huge
  local list, count = {}, 0
  for packed in dataset.each_packed(store(), self.id, version, values) do
    local unpacked = item.unpack(packed)
    if not matches or matches(unpacked) then
      count = count + 1
      if count > last then break end
      if count > first then list[#list + 1] = unpacked end
    end
  end
  return list
end

---The versions, oldest first: {version, digest, item_count, created_at, message}.
---@return table[]
function methods:versions() return must(store():versions(self.id)) end

---Every state that an item had.
---@param id string
---@return table[] {valid_from, valid_to, item}
function methods:history(id)
  local rows = must(store():item_history(self.id, id_text(id, "dataset:history")))
  local list = {}
  for position, row in ipairs(rows) do
    list[position] = { valid_from = row.valid_from, valid_to = row.valid_to, item = item.unpack(row) }
  end
  return list
end

---What differs between two versions: {added, removed, changed}, lists of ids.
---@param from integer|string a version or an alias
---@param to integer|string|nil default the latest
---@return table
function methods:diff(from, to)
  local record = must(store():dataset_by_id(self.id))
  return must(store():diff(self.id, version_number(record, from), version_number(record, to)))
end

---Gives a version a movable name.
---@param name string
---@param version integer|nil default the latest
function methods:alias(name, version)
  if type(name) ~= "string" or not name:match("^[%a_][%w_.-]*$") then
    place.fail("an alias is a name such as stable, not " .. options.show(name))
  end
  must(store():alias_set(self.id, name, version or self.version))
end

---Replaces the dataset's tags.
---@param tags table a list of strings, or a table of them
function methods:set_tags(tags)
  local problem = options.tags_problem(tags == nil and false or tags, "the argument of dataset:set_tags")
  if problem then place.fail(problem) end
  must(store():dataset_update(self.id, { tags = encode("tags", tags) }))
end

---Not available yet.
function methods:merge_records() -- luacheck: no unused args
  place.fail("dataset:merge_records is not available yet; it comes with a later version")
end

---Adds the rows of a CSV file; one version, or none.
---@param path string
---@param mapping table|function|nil which columns make which fields
---@return table result
function methods:import_csv(path, mapping)
  local rows = require("evalua.source").csv(path, mapping)
  local problems, packed = item.collector(), {}
  for raw, where in rows:each() do packed[#packed + 1] = problems:pack(raw, where) end
  local text = problems:text()
  if text then place.fail(text) end
  if #packed == 0 then place.fail(("dataset:import_csv: %s has no rows"):format(path)) end
  return must(store():change_items(self.id, { put = packed, message = "import of " .. path }))
end

---Runs an experiment over this dataset and returns its summary.
---@param given table options of eval.experiment, without dataset; name is the dataset's by default
---@return table summary
function methods:start_experiment(given)
  local experiment = require "evalua.experiment"
  local copy = { dataset = self, name = self.name }
  for key, value in next, given or {} do copy[key] = value end
  return experiment.prepare(copy):run()
end

place.keep_frames(methods)

-- ==== eval.datasets ====

---Makes a dataset. A name that is taken is an error.
---@param given table name, description, metadata, tags, scorers
---@return table dataset
function datasets.create(given)
  local values = options.check(create_schema, given)
  dataset.check_name(values.name, "eval.datasets.create", "@")
  local problem = options.tags_problem(values.tags, 'option "tags" of eval.datasets.create')
  if problem then place.fail(problem) end
  return handle_of(must(store():dataset_create {
    name = values.name, description = values.description, metadata = encode("metadata", values.metadata),
    tags = encode("tags", values.tags), scorers = encode("scorers", values.scorers), target = values.target,
  }))
end

---The dataset of that name or id; an unknown name is an error with the nearest one.
---@param given string|table name, or { id = ... }
---@return table dataset
function datasets.get(given)
  local values = options.check(get_schema, type(given) == "string" and { name = given } or given)
  if values.id then return handle_of(must(store():dataset_by_id(values.id))) end
  if not values.name then place.fail("eval.datasets.get needs a name or an id") end
  local record = store():dataset(values.name)
  if record then return handle_of(record) end
  local names = {}
  for position, known in ipairs(must(store():datasets())) do names[position] = known.name end
  place.fail(('there is no dataset "%s"%s'):format(values.name, strict.hint(values.name, names, "datasets")))
end

local function has_tags(record, wanted)
  local tags = decode(record.tags)
  if type(tags) ~= "table" then return false end
  local values = {}
  for key, tag in next, tags do
    values[#values + 1] = tag
    if type(key) == "string" then values[#values + 1] = ("%s=%s"):format(key, tostring(tag)) end
  end
  for key, tag in next, wanted do
    if type(key) == "string" then
      if tags[key] ~= tag then return false end
    elseif not strict.contains(values, tag) then return false end
  end
  return true
end

---Datasets of the store.
---@param given table|nil name, tags, experiment
---@return table[] datasets
function datasets.list(given)
  local values = options.check(list_schema, given or {})
  local problem = options.tags_problem(values.tags, 'option "tags" of eval.datasets.list')
  if problem then place.fail(problem) end
  local of_experiment = values.experiment and require("evalua.cli.ref").resolve(store(), values.experiment).dataset_id
  local list = {}
  for _, record in ipairs(must(store():datasets())) do
    if (not values.name or record.name == values.name) and (not of_experiment or record.id == of_experiment)
      and (not values.tags or has_tags(record, values.tags)) then
      list[#list + 1] = handle_of(record)
    end
  end
  return list
end

---Deletes a dataset; experiments that ran it stay.
---@param name string
function datasets.delete(name)
  local handle = datasets.get(name)
  must(store():dataset_delete(handle.id))
end

datasets.api = strict.namespace({
  create = datasets.create, get = datasets.get, list = datasets.list, delete = datasets.delete,
}, "eval.datasets")

return datasets
