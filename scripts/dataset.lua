-- evalua dataset: lists datasets, shows the items of a version, its history, differences and aliases.

local dataset_list = require "evalua.cli.dataset_list"
local fail = require "evalua.cli.fail"
local filters = require "evalua.cli.filters"
local json = require "evalua.json"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local records = require "evalua.cli.records"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local text = require "evalua.report.text"
local where = require "evalua.cli.where"

local PRETTY_LIMIT = 20
local LISTED = 20

local parsed = options.begin("dataset", ...)
if not parsed then return 0 end
local format = parsed.format or "pretty"
local stdout = output.stdout()
local view = pretty.view(stdout.write)
view.full = parsed.full

local function open(writing) return store_context.open(parsed.store, { read_only = not writing }) end

local function arguments(least, most, usage)
  local count = #parsed - 1
  if count < least or count > most then
    fail.usage("dataset %s: usage: evalua dataset %s %s", parsed[1], parsed[1], usage)
  end
end

local function aliases_of(store, dataset)
  local aliases = {}
  for name, alias in pairs(store:aliases(dataset.id) or {}) do
    if type(alias) == "table" then
      aliases[alias.name or name] = alias.version
    else
      aliases[name] = alias
    end
  end
  return aliases
end

local actions = {}

function actions.list()
  arguments(0, 0, "")
  dataset_list.put(open(), view, format ~= "pretty")
end

-- Calls each(row) for the items of a version in order, a page at a time.
local function each_item(store, dataset, version, ids, each)
  local after = 0
  while true do
    local rows = fail.check(fail.codes.incomplete,
      store:items(dataset.id, version, { after = after, limit = report.PAGE, ids = ids }))
    for _, row in ipairs(rows) do
      if each(row) == false then return end
      after = row.position or after
    end
    if ids or #rows < report.PAGE then return end
  end
end

local function put_items(rows, count)
  local cells = {}
  for position, row in ipairs(rows) do
    cells[position] = { text.clean(row.item_id), text.preview(row.input), text.preview(row.ground_truth),
      text.preview(row.metadata) }
  end
  pretty.table(view, { { title = "item", flexible = true }, { title = "input", flexible = true },
    { title = "ground truth", flexible = true }, { title = "metadata", flexible = true } }, cells)
  if count > #rows then stdout.write(("%d of %d; --limit N shows more\n"):format(#rows, count)) end
end

function actions.show()
  arguments(1, 1, "NAME[@VERSION]")
  local store = open()
  local dataset, version = records.dataset_version(store, parsed[2])
  local ids = filters.ids(parsed.items)
  local filter = parsed.where and where.compile(parsed.where, where.item_fields)
  local limit = parsed.limit or (format == "pretty" and PRETTY_LIMIT) or math.maxinteger
  local object = records.dataset_object(dataset, version, aliases_of(store, dataset))
  if ids then
    local found = {}
    each_item(store, dataset, version.version, ids, function(row) found[row.item_id] = true end)
    filters.require_all(ids, found, ("dataset %s version %d"):format(dataset.name, version.version))
  end
  if format == "json" then stdout.write(report.harmless(json.encode(object)):sub(1, -2) .. ',"items":[') end
  local count, rows = 0, {}
  each_item(store, dataset, version.version, ids, function(row)
    if filter and not filter.matches(records.item_scope(row), row.item_id) then return end
    count = count + 1
    if count > limit then return format == "pretty" and (filter ~= nil) or nil end
    if format == "json" then
      stdout.write((count > 1 and ",\n" or "\n") .. report.item(row))
    elseif format == "jsonl" then
      stdout.write(report.item(row) .. "\n")
    else
      rows[count] = row
    end
  end)
  if format == "json" then stdout.write("]}\n") end
  if format == "pretty" then
    stdout.write(("%s version %d, %s, digest %s\n"):format(text.clean(dataset.name), version.version,
      text.count(version.item_count, "item"), tostring(version.digest or "-"):sub(1, 16)))
    if count == 0 then
      stdout.write("no such item\n")
    else
      put_items(rows, (filter or ids) and count or version.item_count)
    end
  end
end

local function item_history(store, dataset, item_id)
  local rows, problem, code = store:item_history(dataset.id, item_id)
  if not rows and code ~= "not_found" then fail.incomplete("%s", tostring(problem)) end
  if not rows or #rows == 0 then fail.usage("dataset %s never had an item %s", dataset.name, item_id) end
  if format == "pretty" then
    for position, row in ipairs(rows) do
      if position > 1 then stdout.write("\n") end
      local last = row.valid_to and row.valid_to ~= json.null and row.valid_to
      stdout.write(("%s %d to %s\n"):format(view.paint("bold", "version"), row.valid_from,
        last and tostring(last - 1) or "now"))
      for _, field in ipairs(where.item_fields) do
        if field ~= "id" then pretty.put_value(view, (field:gsub("_", " ")), row[field]) end
      end
    end
    return
  end
  stdout.write("[")
  for position, row in ipairs(rows) do
    row.item_id = row.item_id or item_id
    row.version = nil
    local valid_to = row.valid_to and row.valid_to ~= json.null and tostring(row.valid_to) or "null"
    row.valid_to = nil
    stdout.write(("%s{\"valid_from\":%d,\"valid_to\":%s,%s"):format(position > 1 and ",\n" or "\n", row.valid_from,
      valid_to, report.item(row):sub(2)))
  end
  stdout.write("]\n")
end

function actions.history()
  arguments(1, 2, "NAME [ITEM]")
  local store = open()
  local dataset = records.dataset(store, parsed[2])
  if parsed[3] then return item_history(store, dataset, parsed[3]) end
  local versions = fail.check(fail.codes.incomplete, store:versions(dataset.id))
  if format ~= "pretty" then
    report.list(stdout.write, versions)
    return
  end
  local names = {}
  for name, version in pairs(aliases_of(store, dataset)) do
    names[version] = names[version] and (names[version] .. ", " .. name) or name
  end
  local rows = {}
  for position, version in ipairs(versions) do
    rows[position] = { tostring(version.version), tostring(version.item_count), version.created_at or "",
      tostring(version.digest or ""):sub(1, 16), names[version.version] or "", text.clean(version.message or "") }
  end
  pretty.table(view, { { title = "version", right = true }, { title = "items", right = true },
    { title = "made", drop = 2 }, { title = "digest", drop = 1 }, { title = "alias" },
    { title = "message", flexible = true } }, rows)
end

local function put_ids(title, ids)
  local shown = {}
  for position = 1, math.min(#ids, parsed.limit or LISTED) do shown[position] = text.clean(ids[position]) end
  stdout.write(("%s: %d%s%s\n"):format(title, #ids, #ids > 0 and ("  " .. table.concat(shown, ", ")) or "",
    #ids > #shown and (" and %d more"):format(#ids - #shown) or ""))
end

function actions.diff()
  arguments(3, 3, "NAME V1 V2")
  local store = open()
  local dataset = records.dataset(store, parsed[2])
  local from = records.version(store, dataset, parsed[3]).version
  local to = records.version(store, dataset, parsed[4]).version
  local diff = fail.check(fail.codes.incomplete, store:diff(dataset.id, from, to))
  if format == "pretty" then
    stdout.write(("%s from version %d to %d\n"):format(text.clean(dataset.name), from, to))
    put_ids("added", diff.added)
    put_ids("removed", diff.removed)
    put_ids("changed", diff.changed)
  else
    stdout.write(report.harmless(json.encode(report.mark_lists { name = dataset.name, from = from, to = to,
      added = diff.added, removed = diff.removed, changed = diff.changed })) .. "\n")
  end
end

local function list_aliases(store, dataset)
  local aliases = aliases_of(store, dataset)
  if format ~= "pretty" then
    stdout.write(report.harmless(json.encode(aliases)) .. "\n")
    return
  end
  local names = {}
  for name in pairs(aliases) do names[#names + 1] = name end
  table.sort(names)
  if #names == 0 then stdout.write(("dataset %s has no aliases\n"):format(text.clean(dataset.name))) end
  for _, name in ipairs(names) do stdout.write(("%s  %d\n"):format(text.clean(name), aliases[name])) end
end

function actions.alias()
  local count = #parsed - 1
  if count ~= 1 and count ~= 3 then fail.usage("dataset alias: usage: evalua dataset alias NAME [ALIAS VERSION]") end
  local store = open(count == 3)
  local dataset = records.dataset(store, parsed[2])
  if count == 1 then return list_aliases(store, dataset) end
  local name, wanted = parsed[3], parsed[4]
  if name:match("^%d+$") or name == "latest" or not name:match("^[%w._-]+$") then
    fail.usage("dataset alias: %s cannot be an alias; letters, digits, . _ - and not a number or latest", name)
  end
  local version = records.version(store, dataset, wanted).version
  fail.check(fail.codes.incomplete, store:alias_set(dataset.id, name, version))
  store:close()
  stdout.write(format == "pretty" and ("%s@%s is version %d\n"):format(text.clean(dataset.name), name, version)
    or report.harmless(json.encode { name = dataset.name, alias = name, version = version }) .. "\n")
end

local action = actions[parsed[1]]
if not action then
  fail.usage("dataset: there is no action %s%s", parsed[1],
    strict.hint(parsed[1], { "list", "show", "history", "diff", "alias" }, "actions"))
end
options.check_action("dataset", parsed, parsed[1])
action()
stdout.flush()
return 0
