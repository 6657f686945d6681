-- Command targets: a program run once per item, or a pool of programs that answer request after request.
-- No shell is involved: argv goes to the program as it is.

local cache = require "evalua.cache"
local cache_key = require "evalua.cache_key"
local json = require "evalua.json"
local process = require "evalua.native.process"
local digest = require "evalua.digest"
local options = require "evalua.options"
local place = require "evalua.place"
local failure = require "evalua.process_failure"
local secrets = require "evalua.secrets"
local sys = require "evalua.native.sys"

local command = {}

--- Most bytes that a program may print for one item (stdout), or in one line when persistent.
command.output_bytes = 10 * 1024 * 1024
--- Most programs of one target alive at once in one worker; further items wait for their turn.
command.processes = 200

local STDERR_TAIL_BYTES = 4096 -- what is kept of stderr for messages
local EXIT_GRACE_MS = 1000     -- for a program that has closed its stdout to end by itself
local INFO_FIELDS = { context = true, usage = true, trajectory = true, messages = true, metadata = true }
local INFO_NAMES = "context, usage, trajectory, messages and metadata"

local schema = options.schema("eval.command", {
  { "id", "text", required = true, help = "the target's name" },
  { "argv", "list", of = "string", required = true, help = "program and arguments; no shell is involved" },
  { "stdin", "string|function", help = '"text" (default), "json", or function(input, item) -> text' },
  { "stdout", "string|function", help = '"text" (default), "json", "result", or function(text, item) -> output, info' },
  { "mode", "string", default = "oneshot", enum = { "oneshot", "persistent" }, help = "one run per item, or a pool" },
  { "processes", "integer", default = command.processes, min = 1, max = process.processes_max,
    help = "most programs alive at once in one worker" },
  { "cwd", "text", help = "working directory, from the directory of the script that says it" },
  { "env", "map", help = "variables added to the environment; false removes one" },
  { "request", "function", help = "persistent: function(input, item) -> line to send" },
  { "response", "function", help = "persistent: function(read_line, input, item) -> output, info" },
  { "ready", "function", help = "persistent: function(read_line), called once after start for a banner" },
  { "timeout", "duration", help = "for one item; the program is killed" },
  { "cache", "boolean|string", enum = cache.option.enum,
    help = "true: answers are kept and used again, in the run's mode or else \"use\"" },
  { "max_output", "size", default = command.output_bytes, help = "limit output_bytes for one item" },
  { "version", "text|number", help = "stands for the definition instead of its digest" },
})

local fail = failure.raise

---@class evalua.CommandOptions
---@field id string
---@field argv string[] the program and its arguments; never given to a shell
---@field stdin? "text"|"json"|fun(input: any, item: table): string
---@field stdout? "text"|"json"|"result"|fun(output: string, item: table): any, table?
---@field mode? "oneshot"|"persistent"
---@field processes? integer
---@field cwd? string
---@field env? table<string, string|false> added to the inherited environment; false removes a variable
---@field request? fun(input: any, item: table): string
---@field response? fun(read_line: fun(): string?, input: any, item: table): any, table?
---@field ready? fun(read_line: fun(): string?)
---@field timeout? number|string
---@field cache? boolean|"off"|"use"|"refresh"|"replay"
---@field max_output? integer|string
---@field version? string|number

-- ---- both modes ----

local function spawn(spec, is_persistent)
  local child, message, code = process.spawn {
    argv = spec.argv, cwd = spec.cwd, env = spec.env, lines = is_persistent,
    output_limit = spec.max_output, error_limit = STDERR_TAIL_BYTES, error_tail = true,
  }
  if child then return child end
  fail { message = message, code = failure.start_code(code), permanent = code == "not_found" }
end

-- The pool of this process. One made before a fork is the parent's: its children must not be shared.
local function pool_of(spec)
  local pool = spec.pool
  local pid = process.own_pid()
  if not pool or pool.pid ~= pid then
    pool = { pid = pid, slots = process.slots(spec.processes), idle = {} }
    spec.pool = pool
  end
  return pool
end

-- Splits {output=, context=, ...} into output and info; `reserved` are keys of the protocol itself.
local function split_result(spec, reply, reserved, shown)
  local info
  for key, value in pairs(reply) do
    if INFO_FIELDS[key] then
      info = info or {}
      if value ~= json.null then info[key] = value end
    elseif key ~= "output" and not reserved[key] then
      fail {
        message = ("%s: unknown field '%s' in the result %s; it may have output and %s"):format(
          spec.label, failure.printable(tostring(key), 60), shown, INFO_NAMES),
        code = "bad_output",
      }
    end
  end
  return reply.output, info
end

-- ---- oneshot ----

-- What a function of the target returned, which is a string or a mistake.
local function checked_text(spec, option, value, wanted)
  if type(value) == "string" then return value end
  fail {
    message = ("%s: the %s function returned a %s; it has to return %s, a string"):format(spec.label, option,
      type(value), wanted),
    code = "bad_input",
  }
end

local function encode_input(spec, input, item)
  if type(spec.stdin) == "function" then
    return checked_text(spec, "stdin", (spec.stdin(input, item)), "the text for stdin")
  end
  if spec.stdin == "text" and type(input) == "string" then return input end
  return json.encode(input)
end

local function decode_json(spec, output)
  local value, message = json.decode(output, { mode = "foreign" })
  if value ~= nil then return value end
  fail {
    message = ("%s printed what is not JSON (%s): %s; stdout = \"%s\" needs one JSON value on stdout and nothing else"
      .. " (logs belong on stderr)"):format(spec.label, message, failure.quoted(output), spec.stdout),
    code = "bad_output",
  }
end

local function decode_result(spec, output)
  local value = decode_json(spec, output)
  if type(value) ~= "table" or json.is_array(value) or value.output == nil then
    fail {
      message = ("%s printed %s; stdout = \"result\" needs an object with the key output, as"
        .. " {\"output\": \"text\", \"context\": ...}"):format(spec.label, failure.quoted(output)),
      code = "bad_output",
    }
  end
  return split_result(spec, value, {}, failure.quoted(output))
end

local function decode_output(spec, output, item)
  if type(spec.stdout) == "function" then return spec.stdout(output, item) end
  if spec.stdout == "json" then return decode_json(spec, output) end
  if spec.stdout == "result" then return decode_result(spec, output) end
  return (output:gsub("\r?\n$", "", 1)) -- the one newline that print adds is not part of the answer
end

local function run_oneshot(spec, input, item)
  local stdin = encode_input(spec, input, item)
  local entry = cache.of_command(spec, stdin)
  local kept = entry and entry:find()
  local stdout = kept and cache_key.get_bytes(kept, "stdout")
  if stdout then return decode_output(spec, stdout, item) end
  local slot <close> = pool_of(spec).slots:take()
  local child <close> = spawn(spec, false)
  if spec.timeout_ms then child:deadline(spec.timeout_ms) end
  local ended = child:finish(stdin)
  slot:free()
  failure.check_end(spec, ended)
  local output, info = decode_output(spec, ended.stdout, item)
  if entry then
    local answer = {}
    cache_key.put_bytes(answer, "stdout", cache_key.redacted(ended.stdout, answer))
    entry:keep(answer)
  end
  return output, info
end

-- ---- persistent ----

-- Raises for a child that ended, or closed its stdout, in the middle of a request.
local function fail_dead(spec, child)
  local timed_out = child.process:has_timed_out()
  child.process:deadline(EXIT_GRACE_MS)
  local ended = child.process:wait()
  if ended.timed_out and not timed_out then
    ended = { code = 0, stderr = ended.stderr } -- it closed its stdout and stayed: no exit status to speak of
  end
  failure.check_end(spec, ended)
  local hint = ""
  if child.answered > 0 then
    hint = "; a persistent program goes on until its stdin ends (mode = \"oneshot\" starts one for each item)"
  end
  fail {
    message = ("%s ended its output before it answered (after %d answers)%s%s"):format(
      spec.label, child.answered, hint, failure.stderr_note(ended.stderr)),
    code = "no_answer",
  }
end

-- The read_line that protocol functions get: the next line, or nil at the end.
local function reader_of(spec, child)
  return function()
    local line, message, code = child.process:read_line()
    if line then return line end
    child.at_end = true
    if code == "limit" then
      fail { message = spec.label .. ": " .. message, code = "output_bytes", status = "limited" }
    end
    return nil
  end
end

-- Calls a protocol function of the suite; that the child is gone explains more than the error it led to.
local function call_protocol(spec, child, callback, ...)
  local ok, output, info = pcall(callback, child.read_line, ...)
  if ok and not (child.at_end and output == nil) then return output, info end
  if child.at_end and not (type(output) == "table" and output.status == "limited") then fail_dead(spec, child) end
  if not ok then error(output, 0) end
end

local function new_child(spec)
  local child = { process = spawn(spec, true), answered = 0, requests = 0, at_end = false }
  child.read_line = reader_of(spec, child)
  return child
end

local function json_line_answer(spec, child, id, line)
  local reply, message = json.decode(line, { mode = "foreign" })
  local problem
  if reply == nil then
    problem = ("which is not JSON (%s)"):format(message)
  elseif type(reply) ~= "table" or json.is_array(reply) then
    problem = "which is not an object"
  elseif reply.id ~= id then
    problem = ("which does not carry the id of the request, %d"):format(id)
  elseif reply.output == nil and (reply.error == nil or reply.error == json.null) then
    problem = "which has neither output nor error"
  end
  if problem then
    fail {
      message = ("%s answered %s, %s; it has to be one line {\"id\": %d, \"output\": ...} or {\"id\": %d,"
        .. " \"error\": \"message\"}"):format(spec.label, failure.quoted(line), problem, id, id),
      code = "bad_output",
    }
  end
  child.in_step = true -- the protocol is intact, whatever the answer says
  if reply.error ~= nil and reply.error ~= json.null then
    local value = reply.error
    local is_object = type(value) == "table" and type(value.message) == "string"
    fail {
      message = is_object and value.message or type(value) == "string" and value or json.encode(value),
      code = is_object and type(value.code) == "string" and value.code or "command_error",
    }
  end
  return split_result(spec, reply, { id = true, error = true }, failure.quoted(line))
end

-- What is sent for an item; of the JSON lines protocol without the id.
local function request_text(spec, input, item)
  if not spec.request then return json.encode(input == nil and json.null or input) end
  return checked_text(spec, "request", (spec.request(input, item)), "the line to send")
end

local function ask_json_lines(spec, child, request)
  child.requests = child.requests + 1
  local id = child.requests
  child.process:write(('{"id":%d,"input":%s}\n'):format(id, request))
  local line = child.read_line()
  if not line then fail_dead(spec, child) end
  return json_line_answer(spec, child, id, line)
end

local function ask_by_functions(spec, child, request, input, item)
  if request:sub(-1) ~= "\n" then request = request .. "\n" end
  child.process:write(request) -- a broken pipe shows as the end of its output, with the reason
  local output, info = call_protocol(spec, child, spec.response, input, item)
  child.in_step = true
  return output, info
end

-- Gives the child back when its request ended cleanly; otherwise nobody knows what it will say next.
local function end_request(request)
  local child = request.child
  if not child then return end
  if not child.in_step then
    child.process:close()
    return
  end
  child.process:deadline(nil)
  table.insert(request.pool.idle, child)
end

local request_meta = { __close = end_request, __name = "evalua.command_request" }

local function take_idle(pool)
  while #pool.idle > 0 do
    local child = table.remove(pool.idle)
    if child.process:is_alive() then return child end
    child.process:close()
  end
end

local function ask_program(spec, text, input, item)
  local pool = pool_of(spec)
  local slot <close> = pool.slots:take() -- luacheck: ignore slot
  local request <close> = setmetatable({ pool = pool, child = take_idle(pool) or false }, request_meta)
  local is_new = not request.child
  if is_new then request.child = new_child(spec) end
  local child = request.child
  child.in_step = false
  if spec.timeout_ms then child.process:deadline(spec.timeout_ms) end
  if is_new and spec.ready then
    call_protocol(spec, child, function(read_line)
      spec.ready(read_line)
      return true
    end)
    if child.at_end then fail_dead(spec, child) end
  end
  local ask = spec.request and ask_by_functions or ask_json_lines
  local output, info = ask(spec, child, text, input, item)
  child.answered = child.answered + 1
  return output, info
end

local function run_persistent(spec, input, item)
  local text = request_text(spec, input, item)
  local entry = cache.of_command(spec, text)
  local kept = entry and entry:find()
  if kept and (kept.output ~= nil or kept.info ~= nil) then return kept.output, kept.info end
  local output, info = ask_program(spec, text, input, item)
  if entry then
    local answer = {}
    answer.output = cache_key.redacted(output == nil and json.null or output, answer)
    answer.info = cache_key.redacted(info, answer)
    entry:keep(answer)
  end
  return output, info
end

-- ---- the definition ----

local function check_choice(problems, name, value, choices)
  if value == nil or type(value) == "function" then return end
  for _, choice in ipairs(choices) do if value == choice then return end end
  problems[#problems + 1] = ('option "%s" of eval.command cannot be %s; it is "%s" or a function'):format(
    name, options.show(value), table.concat(choices, '", "'))
end

local function check_env(problems, env)
  for name, value in pairs(env or {}) do
    if type(value) ~= "string" and value ~= false then
      problems[#problems + 1] = ('option "env" of eval.command: %s must be a string, or false to remove it, not %s')
        :format(name, options.show(value))
    elseif name == "" or name:find "[=\0]" or value and value:find "\0" then
      problems[#problems + 1] = ('option "env" of eval.command: %s is not a variable that the system can set'):format(
        failure.quoted(name))
    end
  end
end

local function check_argv(problems, argv)
  if #argv == 0 or argv[1] == "" then
    problems[#problems + 1] = 'option "argv" of eval.command is empty; its first element names the program'
  end
  for position, argument in ipairs(argv) do
    if argument:find "\0" then
      problems[#problems + 1] = ('option "argv" of eval.command: element %d contains a NUL byte'):format(position)
    end
  end
end

-- Options that the other mode does not have are mistakes, not decoration.
local function check_mode(problems, given)
  local function refuse(names, remedy)
    for _, name in ipairs(names) do
      if given[name] ~= nil then
        problems[#problems + 1] = ('option "%s" of eval.command does not go with mode = "%s"; %s'):format(
          name, given.mode, remedy)
      end
    end
  end
  if given.mode == "oneshot" then
    refuse({ "request", "response", "ready" }, 'set mode = "persistent", or use stdin and stdout')
    return
  end
  refuse({ "stdin", "stdout" }, "it speaks JSON lines, or what the request and response functions say")
  if (given.request == nil) ~= (given.response == nil) then
    problems[#problems + 1] = ('option "%s" of eval.command is missing; request and response go together'):format(
      given.request and "response" or "request")
  end
end

local function checked_spec(given)
  local spec = options.check(schema, given)
  local problems = {}
  check_argv(problems, spec.argv)
  check_choice(problems, "stdin", spec.stdin, { "text", "json" })
  check_choice(problems, "stdout", spec.stdout, { "text", "json", "result" })
  check_env(problems, spec.env)
  check_mode(problems, spec)
  if #problems > 0 then place.fail_all(problems) end
  return spec
end

local function redacted(map)
  local copy = {}
  for name, value in pairs(map or {}) do copy[name] = value and secrets.redact(value) end
  return copy
end

-- Everything that decides what the target does, but not the value of a key, which may change any day. The directory
-- that cwd was resolved to is left out: the same suite in another checkout is the same target.
local function definition_of(spec, cwd)
  return {
    type = "command", argv = redacted(spec.argv), stdin = spec.stdin, stdout = spec.stdout, mode = spec.mode, cwd = cwd,
    env = redacted(spec.env), request = spec.request, response = spec.response, ready = spec.ready,
    max_output = spec.max_output, timeout_ms = spec.timeout_ms,
  }
end

-- The files among the arguments, such as the script that an interpreter runs: with --watch they start a new run.
local function note_files(spec)
  local directory = spec.cwd and spec.cwd .. "/" or ""
  for _, argument in ipairs(spec.argv) do
    local path = argument:sub(1, 1) == "/" and argument or directory .. argument
    if sys.exists(path) == "file" then require("evalua.files_read").add(path) end
  end
end

--- Makes a command target.
---@param given evalua.CommandOptions
---@return table target {id, type, version, digest, run = function(input, item) -> output, info,
---  check = function() -> problems: a list of texts, empty where the program can be started}
function command.target(given)
  local spec = checked_spec(given)
  local caller = place.caller()
  local file = caller and caller.file
  local cwd = spec.cwd
  spec.timeout_ms = spec.timeout
  spec.stdin = spec.stdin or "text"
  spec.stdout = spec.stdout or "text"
  spec.label = ("command '%s'"):format(spec.id)
  if cwd then
    spec.cwd = place.resolve(cwd, file)
  else
    local directory = file and place.directory(file) or ""
    spec.cwd = directory ~= "" and directory or nil
  end
  note_files(spec)
  local run = spec.mode == "persistent" and run_persistent or run_oneshot
  return {
    id = spec.id,
    type = "command",
    version = spec.version,
    digest = digest.of(definition_of(spec, cwd)),
    run = function(input, item) return run(spec, input, item) end,
    check = function(mode)
      if mode == "replay" and spec.cache and spec.cache ~= "off" then return {} end -- nothing will be started
      local path, message = process.find { argv = spec.argv, cwd = spec.cwd, env = spec.env }
      return path and {} or { ("%s: %s"):format(spec.label, message) }
    end,
  }
end

return command
