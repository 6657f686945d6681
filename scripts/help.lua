-- evalua help: explains commands and topics; with --unknown NAME it says which command was meant.

local commands = require "evalua.cli.commands"
local fail = require "evalua.cli.fail"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local ref = require "evalua.cli.ref"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"
local where = require "evalua.cli.where"

local topics = {
  ref = ref.help,
  where = "EXPR is one Lua expression with the fields of the item or result in scope, for example\n"
    .. "  --where 'metadata.lang == \"de\" and score.exact < 1'\n"
    .. "Fields of an item: " .. table.concat(where.item_fields, ", ") .. ".\n"
    .. "Fields of a result: " .. table.concat(where.result_fields, ", ") .. ".\n"
    .. "An absent table is empty. An absent value is nil: it differs from every value, and is neither less nor more.\n",
  ["exit-codes"] = [[
0    everything holds
1    a rule failed
2    usage or configuration, found before anything ran
3    script error
4    the run could not be completed or judged (store failure, failed items, no data)
5    inconclusive, with --inconclusive=fail
130  interrupted
]],
  environment = [[
EVALUA_STORE  the store, where --store does not name one
EVALUA_STORE_TIMEOUT  how long to wait for a store that another process has locked (default 30s)
EVALUA_CACHE  the request cache, where neither --cache-file nor the experiment names one
NO_COLOR      no colours when set to anything
CI            set (not to 0 or false): progress is plain lines, also on a terminal
GITHUB_ACTIONS  the same, and run and compare write annotations
GITHUB_STEP_SUMMARY  the file to which run and compare append their Markdown report
]],
}

-- Scripts in .evalua/commands of the nearest ancestor are commands too: their names, and where they are.
local function own_commands()
  local directory, names, inside = sys.cwd(), {}, nil
  while directory do
    inside = (directory == "/" and "" or directory) .. "/.evalua/commands"
    if sys.exists(inside) == "directory" then
      for _, name in ipairs(sys.list(inside) or {}) do
        local command = name:match("^([%w_-]+)%.lua$")
        if command then names[#names + 1] = command end
      end
      break
    end
    directory = directory ~= "/" and (directory:match("^(.*)/[^/]*$"):gsub("^$", "/")) or nil
  end
  table.sort(names)
  return names, inside
end

-- What can be said of a command of the project's own, nil where `name` is none.
local function own_help(name)
  local names, directory = own_commands()
  if not strict.contains(names, name) then return nil end
  return ("%s is a command of this project: %s/%s.lua, which gets its arguments as `...`\n"):format(name, directory,
    name)
end

local function all_names()
  local names = { table.unpack(commands.order) }
  for _, name in ipairs(own_commands()) do names[#names + 1] = name end
  return names
end

local function overview()
  local lines = { "usage: evalua COMMAND [OPTION]... [ARGUMENT]...", "" }
  for _, name in ipairs(commands.order) do lines[#lines + 1] = ("  %-9s %s"):format(name, commands[name].summary) end
  for _, name in ipairs(own_commands()) do lines[#lines + 1] = ("  %-9s .evalua/commands/%s.lua"):format(name, name) end
  local names = {}
  for name in pairs(topics) do names[#names + 1] = name end
  table.sort(names)
  lines[#lines + 1] = ""
  lines[#lines + 1] = "`evalua help COMMAND` lists its options. Topics: " .. table.concat(names, ", ") .. "."
  return table.concat(lines, "\n") .. "\n"
end

-- Lines as they fit the terminal; the rest of one stands under its explanation.
local function put(lines)
  local columns = text.terminal_width(1)
  for line in lines:gmatch("([^\n]*)\n") do
    local explained = line:match("^(%s*%S.-%s%s+)%S")
    local indent = explained and #explained < (columns or 0) // 2 and (" "):rep(#explained) or nil
    sys.stdout_write(text.wrap(line, columns, indent) .. "\n")
  end
end

local first, second = ...
if first == "--unknown" then
  local name = tostring(second)
  if name:match("%.lua$") or name:match("%.jsonl$") or name:match("%.csv$") or sys.exists(name) then
    fail.usage("there is no command %s: did you mean `evalua run %s`?", name, name)
  end
  local near = strict.nearest(name, all_names())
  fail.usage("there is no command %s%s", name, near and (": did you mean `evalua %s`?"):format(near)
    or "; `evalua help` lists them")
end

local parsed = options.parse("help", ...)
local name = parsed[1]
if parsed.help or not name then
  put(overview())
elseif commands[name] and commands[name].summary then
  sys.stdout_write(options.help(name))
elseif topics[name] then
  put(topics[name])
elseif own_help(name) then
  put(own_help(name))
else
  local known = all_names()
  for topic in pairs(topics) do known[#known + 1] = topic end
  fail.usage("help: there is no command or topic %s%s", name, strict.hint(name, known, "they"))
end
return 0
