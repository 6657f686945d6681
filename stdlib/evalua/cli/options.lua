-- Reads the arguments of a command by its table of options (evalua.cli.commands), and prints its help.

local commands = require "evalua.cli.commands"
local fail = require "evalua.cli.fail"
local report_text = require "evalua.report.text"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"

local options = {}

local function key_of(option) return (option.name:gsub("-", "_")) end

local help_option = { name = "help", short = "h", kind = "flag", help = "this text" }

local function find(spec, name)
  if name == "help" then return help_option end
  for _, option in ipairs(spec.options) do if option.name == name then return option end end
end

local function find_short(spec, letter)
  if letter == "h" then return help_option end
  for _, option in ipairs(spec.options) do if option.short == letter then return option end end
end

local function unknown(command, spec, written)
  local names = {}
  for _, option in ipairs(spec.options) do
    names[#names + 1] = "--" .. option.name
  end
  names[#names + 1] = "--" .. help_option.name
  table.sort(names)
  local name = strict.nearest(written, names)
  fail.usage("%s: unknown option %s; %s", command, written, name and ("did you mean " .. name .. "?")
    or ("`evalua help %s` lists its options"):format(command))
end

local function convert_number(command, option, written, text)
  local number
  if option.kind == "integer" then
    number = text:match("^[+-]?%d+$") and math.tointeger(tonumber(text))
  else
    number = tonumber(text)
    if number ~= number or number == math.huge or number == -math.huge then number = nil end
  end
  local wanted = option.kind == "integer" and "a whole number" or "a number"
  if not number then fail.usage("%s: %s wants %s, not %q", command, written, wanted, text) end
  if option.min and number < option.min then
    fail.usage("%s: %s must be at least %s, not %s", command, written, option.min, text)
  elseif option.max and number > option.max then
    fail.usage("%s: %s must be at most %s, not %s", command, written, option.max, text)
  end
  return number
end

local function convert(command, option, written, text)
  if option.kind == "integer" or option.kind == "number" then
    return convert_number(command, option, written, text)
  elseif option.kind == "pair" then
    local name, value = text:match("^([^=]+)=(.*)$")
    if not name then fail.usage("%s: %s wants %s, not %q", command, written, option.value, text) end
    return { name, value }
  elseif option.choices then
    for _, choice in ipairs(option.choices) do if choice == text then return text end end
    local name = strict.nearest(text, option.choices)
    fail.usage("%s: %s wants %s, not %q%s", command, written, table.concat(option.choices, " or "), text,
      name and (": did you mean %s?"):format(name) or "")
  elseif text == "" then
    fail.usage("%s: %s wants %s, not an empty text", command, written, option.value)
  end
  return text
end

local function store_value(parsed, command, option, written, value)
  local key = key_of(option)
  if option.many then
    parsed[key] = parsed[key] or {}
    for _, before in ipairs(option.kind == "pair" and parsed[key] or {}) do
      if before[1] == value[1] then fail.usage("%s: %s %s: is given twice", command, written, value[1]) end
    end
    table.insert(parsed[key], value)
  elseif parsed[key] ~= nil then
    fail.usage("%s: %s is given twice", command, written)
  else
    parsed[key] = value
  end
end

-- One argument that starts with "-". Returns how many arguments it used.
local function read_option(parsed, command, spec, arguments, position)
  local argument = arguments[position]
  local written, value, option
  local name, attached = argument:match("^%-%-([^=]+)=(.*)$")
  if name then
    written, value, option = "--" .. name, attached, find(spec, name)
  elseif argument:sub(1, 2) == "--" then
    written, option = argument, find(spec, argument:sub(3))
  else
    written, option = argument:sub(1, 2), find_short(spec, argument:sub(2, 2))
    if #argument > 2 then value = argument:sub(3):gsub("^=", "") end
    if not option then written = argument end
  end
  if not option then unknown(command, spec, written) end
  if option.kind == "flag" then
    if value then fail.usage("%s: %s takes no value", command, written) end
    store_value(parsed, command, option, written, true)
    return 1
  end
  local used = 1
  if not value and option.alone then -- may stand without a value; with one it is written --name=VALUE
    store_value(parsed, command, option, written, option.alone)
    return 1
  end
  if not value then
    value, used = arguments[position + 1], 2
    if value == nil then fail.usage("%s: %s wants %s after it", command, written, option.value) end
  end
  store_value(parsed, command, option, written, convert(command, option, written, value))
  return used
end

local function check_count(command, spec, count)
  if count < (spec.min or 0) then
    fail.usage("%s: too few arguments; usage: evalua %s %s", command, command, spec.arguments or "")
  elseif spec.max and count > spec.max then
    fail.usage("%s: too many arguments; usage: evalua %s %s", command, command, spec.arguments or "")
  end
end

---Reads the arguments of `command`. Raises a failure (exit 2) naming what is wrong.
---@param command string a name in evalua.cli.commands
---@param ... string the arguments
---@return table parsed options by name with "_" for "-"; positional arguments in the list part; `help` where asked for
function options.parse(command, ...)
  local spec, arguments, parsed = commands[command], { ... }, {}
  local position, only_positional = 1, false
  while position <= #arguments do
    local argument = arguments[position]
    if only_positional or argument == "-" or argument:sub(1, 1) ~= "-" then
      parsed[#parsed + 1] = argument
      position = position + 1
      if spec.script_arguments then only_positional = true end
    elseif argument == "--" then
      only_positional, position = true, position + 1
    else
      position = position + read_option(parsed, command, spec, arguments, position)
    end
  end
  if not parsed.help then check_count(command, spec, #parsed) end
  return parsed
end

---The help text of a command.
---@param command string
---@return string
function options.help(command)
  local spec = commands[command]
  local lines = {
    ("usage: evalua %s%s%s"):format(command, #spec.options > 0 and " [OPTION]..." or "",
      spec.arguments and (" " .. spec.arguments) or ""),
    "",
    spec.summary:sub(1, 1):upper() .. spec.summary:sub(2) .. ".",
  }
  if spec.text then lines[#lines + 1] = spec.text end
  local columns = report_text.terminal_width(1)
  for position, line in ipairs(lines) do lines[position] = report_text.wrap(line, columns) end
  lines[#lines + 1] = ""
  local rows, width, most = {}, columns and columns < 60 and 8 or 0, columns and columns < 60 and 8 or 34
  local list = { table.unpack(spec.options) }
  list[#list + 1] = help_option
  for _, option in ipairs(list) do
    local left = ("  %s--%s%s"):format(option.short and ("-" .. option.short .. ", ") or "    ", option.name,
      option.value and ((option.alone and "" or " ") .. option.value) or "")
    rows[#rows + 1] = { left, option.help .. (option.many and " (may repeat)" or "") }
    if #left <= most then width = math.max(width, #left) end
  end
  for _, row in ipairs(rows) do
    local left = row[1]
    if #left > width then
      if columns and #left > columns then left = report_text.wrap(left:gsub("|", " | ") .. "", columns, "        ") end
      lines[#lines + 1] = left
      left = ""
    end
    lines[#lines + 1] = report_text.wrap(left .. (" "):rep(width - #left) .. "  " .. row[2], columns,
      (" "):rep(width + 2))
  end
  return table.concat(lines, "\n") .. "\n"
end

---Refuses options that the action of a command does not know (`actions` in its table). Raises (exit 2).
---@param command string a name in evalua.cli.commands
---@param parsed table of options.parse
---@param action string one of those that the command has
function options.check_action(command, parsed, action)
  for _, option in ipairs(commands[command].options) do
    if option.actions and parsed[key_of(option)] ~= nil and not strict.contains(option.actions, action) then
      fail.usage("%s %s: --%s is for %s", command, action, option.name, table.concat(option.actions, " and "))
    end
  end
end

---How a command begins: reads its arguments, or prints its help where that is asked for. Raises as options.parse does.
---@param command string a name in evalua.cli.commands
---@param ... string the arguments
---@return table|nil parsed as of options.parse; nil: the help is printed, and the command has nothing else to do
function options.begin(command, ...)
  local parsed = options.parse(command, ...)
  if not parsed.help then return parsed end
  sys.stdout_write(options.help(command))
  return nil
end

return options
