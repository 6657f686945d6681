-- The dialogue of a review: keys on a terminal, lines on a pipe. Every answer is stored when it is given.

local fail = require "evalua.cli.fail"
local pretty = require "evalua.report.pretty"
local screen = require "evalua.review.screen"
local session_module = require "evalua.review.session"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local walk = {}

local CLEAR = "\27[2J\27[H"
local KEY_COMMANDS = { up = "back", left = "back", down = "skip", right = "skip" }

-- The result in hand as it is stored.
local function row_of(given, session)
  local entry = session:entry()
  local rows, problem = given.store:results(given.record.id, { after = entry.position - 1, limit = 1 })
  if not rows or not rows[1] then fail.incomplete("a result cannot be read: %s", tostring(problem)) end
  return rows[1]
end

-- Terminal -----------------------------------------------------------------------------------------------------------

local function show(given, session, state)
  local view = given.view
  if sys.environ("TERM") ~= "dumb" then given.stdout.write(CLEAR) end
  if session:entry() then
    screen.result(view, session, row_of(given, session), given.view.full or state.is_full)
  else
    pretty.line(view, "that was the last one: q ends, b goes back, u takes back what was said last")
  end
  given.stdout.write("\n")
  if state.said then pretty.line(view, view.paint(state.is_problem and "red" or "green", state.said)) end
  pretty.line(view, view.paint("dim", screen.keys(session.choices)))
  given.stdout.flush()
  state.is_full, state.said, state.is_problem = false, nil, false
end

-- The text of a command; nil where there is none after all.
local function ask(given, what)
  given.stdout.write(what .. ": ")
  given.stdout.flush()
  local line = require("evalua.native.terminal").line()
  if not line or line:match("^%s*$") then return nil end
  return line
end

local function on_key(given, session, state, key)
  local command, digit = session_module.command(KEY_COMMANDS[key] or key)
  if command == "view" then
    state.is_full = true
  elseif command == "help" then
    state.said = screen.help
  elseif not command then
    if #key == 1 then state.said, state.is_problem = ("%s means nothing here; ? lists the keys"):format(key), true end
  else
    local argument = digit
    if session_module.WITH_TEXT[command] and session:entry() then
      argument = ask(given, command)
      if not argument then return end
    end
    local said, problem = session:apply(command, argument)
    state.said, state.is_problem = said or problem, said == nil
  end
end

local function on_terminal(given, session)
  local terminal, state = require "evalua.native.terminal", {}
  while true do
    show(given, session, state)
    local key, problem = terminal.key()
    if problem then fail.incomplete("%s", problem) end
    if key == "ctrl-c" then return fail.codes.interrupted end
    if not key or key == "ctrl-d" or session_module.command(key) == "quit" then return fail.codes.ok end
    on_key(given, session, state, key)
  end
end

-- Pipe ---------------------------------------------------------------------------------------------------------------

local function put_result(given, session, is_full)
  if not session:entry() then return end
  screen.result(given.view, session, row_of(given, session), given.view.full or is_full)
  given.stdout.write("\n")
  given.stdout.flush()
end

-- A line that means nothing ends the walk: what follows it would be said of the wrong results.
local function refuse(number, line, problem)
  fail.usage("line %d: %s: %s; the answers before it are stored", number, text.clean(line), problem)
end

local function on_pipe(given, session)
  local number = 0
  put_result(given, session)
  for line in io.lines() do
    number = number + 1
    local word, argument = line:match("^%s*(%S+)%s*(.-)%s*$")
    if word then
      local command, digit = session_module.command(word)
      local bare = line:match("^%s*(.-)%s*$")
      if bare ~= "" and session:is_label(bare) then command, digit, argument = "label", nil, bare end
      if command == "quit" then return fail.codes.ok end
      if not command then
        refuse(number, line, ("there is no command %s%s"):format(text.clean(word), session_module.hint(word)))
      elseif command == "help" then
        pretty.line(given.view, screen.help)
      elseif command == "view" then
        put_result(given, session, true)
      else
        local said, problem = session:apply(command, digit or argument)
        if not said then refuse(number, line, problem) end
        pretty.line(given.view, said)
        put_result(given, session)
      end
    end
  end
  return fail.codes.ok
end

---Walks through results until the last one, `quit` or the end of input.
---@param given { store: table, record: table, name: string, choices: table, entries: table[], reviews: table,
---  answers: table, view: table, stdout: table }
---@return integer exit_code
function walk.run(given)
  local session = session_module.start {
    store = given.store, run_id = given.record.run_id or given.record.id, name = given.name, choices = given.choices,
    entries = given.entries, reviews = given.reviews, answers = given.answers,
  }
  local exit_code = (sys.isatty(0) and sys.isatty(1) and on_terminal or on_pipe)(given, session)
  pretty.line(given.view, ("%s given, %d of %d results walked through"):format(text.count(session.given, "answer"),
    math.min(session.at - 1, #given.entries), #given.entries))
  return exit_code
end

return walk
