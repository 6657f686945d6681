-- The Lua test harness: named tests, checks that explain themselves, TAP on stdout.
-- A spec is a file `<module>_spec.lua` that calls t.test; run.lua runs specs and prints the plan at the end.

local t = {}

local skip_mark = {} -- raised by t.skip, so that it is never mistaken for a failure
local state = { count = 0, failed = 0, skipped = 0, prefix = "" }

local here = debug.getinfo(1, "S").source:match("^[@=](.*)/[^/]*$") or "."
local root = os.getenv("EVALUA_TEST_ROOT") or (here .. "/../..")
local shared_root = os.getenv("EVALUA_TEST_SHARED") or (root .. "/../shared")

-- Values as Lua source, for messages: keys sorted, long text cut.
local function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then
    local text = #value > 400 and value:sub(1, 400) .. "..." or value
    return ("%q"):format(text):gsub("\\\n", "\\n")
  end
  if type(value) ~= "table" then
    if value == 0 and 1 / value < 0 then return "-0.0" end
    if math.type(value) == "float" then return ("%.17g"):format(value) end
    return tostring(value)
  end
  if depth > 6 then return "{...}" end
  local keys = {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
    return type(a) < type(b)
  end)
  local parts = {}
  for position, key in ipairs(keys) do
    if position > 40 then
      parts[#parts + 1] = "..."
      break
    end
    local text = show(rawget(value, key), depth + 1)
    if key ~= position then text = "[" .. show(key, depth + 1) .. "] = " .. text end
    parts[#parts + 1] = text
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- Where two values differ: nil when equal, else the path of the first difference and both values there.
-- Metatables are ignored. NaN equals NaN. With `exact`, 1 differs from 1.0 and 0.0 from -0.0.
local function difference(actual, expected, exact, path, seen)
  if type(actual) ~= "table" or type(expected) ~= "table" then
    local same = actual == expected or actual ~= actual and expected ~= expected
    if same and exact and type(actual) == "number" then
      same = math.type(actual) == math.type(expected) and (actual ~= 0 or 1 / actual == 1 / expected)
    end
    if same then return nil end
    return path, actual, expected
  end
  if rawequal(actual, expected) or seen[actual] == expected then return nil end
  seen[actual] = expected
  for key, value in next, expected do
    local found, a, e = difference(rawget(actual, key), value, exact, path .. "[" .. show(key) .. "]", seen)
    if found then return found, a, e end
  end
  for key, value in next, actual do
    if rawget(expected, key) == nil then return path .. "[" .. show(key) .. "]", value, nil end
  end
  return nil
end

local function fail(message, note, level)
  if note then message = note .. ": " .. message end
  error(message, (level or 1) + 2)
end

local function check_equal(actual, expected, exact, note)
  local path, a, e = difference(actual, expected, exact, "", {})
  if not path then return end
  local message = ("expected %s\n     got %s"):format(show(expected), show(actual))
  if path ~= "" then message = ("at %s expected %s, got %s\n%s"):format(path, show(e), show(a), message) end
  fail(message, note, 2)
end

--- Deep equality by value; 1 equals 1.0.
function t.equal(actual, expected, note) check_equal(actual, expected, false, note) end

--- Deep equality that also tells 1 from 1.0 and 0.0 from -0.0.
function t.identical(actual, expected, note) check_equal(actual, expected, true, note) end

function t.not_equal(actual, unexpected, note)
  if not difference(actual, unexpected, false, "", {}) then fail("both are " .. show(actual), note) end
end

--- Fails unless the value is true (or just not nil and not false). Returns it.
function t.ok(value, note)
  if not value then fail("expected a true value, got " .. show(value), note) end
  return value
end

--- |actual - expected| <= epsilon (default 1e-9).
function t.near(actual, expected, epsilon, note)
  epsilon = epsilon or 1e-9
  local close = type(actual) == "number" and math.abs(actual - expected) <= epsilon -- false for NaN
  if not close then
    fail(("expected %s within %g, got %s"):format(show(expected), epsilon, show(actual)), note)
  end
end

--- Fails unless the text matches the Lua pattern (or contains it literally). Returns the text.
function t.matches(text, pattern, note)
  if type(text) ~= "string" or not (text:find(pattern, 1, true) or text:find(pattern)) then
    fail(("expected text matching %s, got %s"):format(show(pattern), show(text)), note)
  end
  return text
end

--- Calls the function and expects an error whose text matches the Lua pattern (or contains it literally).
--- Returns the error value.
function t.raises(action, pattern, note)
  local ok, problem = pcall(action)
  if ok then fail("expected an error, none was raised", note) end
  if problem == skip_mark or type(problem) == "table" and problem.mark == skip_mark then error(problem, 0) end
  local text = tostring(problem)
  if type(problem) == "table" and rawget(problem, "message") then text = tostring(rawget(problem, "message")) end
  if pattern and not (text:find(pattern, 1, true) or text:find(pattern)) then
    fail(("expected an error matching %s, got %s"):format(show(pattern), show(text)), note)
  end
  return problem
end

--- Gives the test up without failing it; the reason is printed and counted.
function t.skip(why) error({ mark = skip_mark, why = why or "no reason given" }, 0) end

--- The absolute path of a file below ../shared; skips the test where it is absent.
function t.shared(path)
  local full = shared_root .. "/" .. path
  local file = io.open(full, "rb")
  if not file then t.skip("../shared/" .. path .. " is absent") end
  file:close()
  return full
end

--- A path below the project's own directory, e.g. t.root "tests/data/x.json".
function t.root(path) return root .. "/" .. path end

--- The whole text of a file; fails when it cannot be read.
function t.read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

function t.write_file(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
  return path
end

local temporary_count = 0
--- A path for a scratch file, new on every call, in a directory that the test run removes.
function t.temp_path(name)
  temporary_count = temporary_count + 1
  local directory = os.getenv("EVALUA_TEST_TMP")
  if not directory then return os.tmpname() .. (name or "") end
  return ("%s/%d-%s"):format(directory, temporary_count, name or "file")
end

-- TAP: every line of an explanation becomes a comment.
local function report(ok, name, suffix, explanation)
  state.count = state.count + 1
  io.stdout:write(ok and "ok " or "not ok ", state.count, " - ", (name:gsub("[#\n]", " ")), suffix or "", "\n")
  for line in (explanation or ""):gmatch("[^\n]+") do io.stdout:write("#   ", line, "\n") end
  io.stdout:flush()
end

local function traceback(problem)
  if type(problem) == "table" and rawget(problem, "mark") == skip_mark then return problem end
  if type(problem) == "table" and rawget(problem, "message") then problem = rawget(problem, "message") end
  return debug.traceback(tostring(problem), 2)
end

--- Runs the function as a test of that name.
function t.test(name, action)
  local full_name = state.prefix .. name
  local started = os.clock()
  local ok, problem = xpcall(action, traceback)
  if ok then
    report(true, full_name)
  elseif type(problem) == "table" then
    state.skipped = state.skipped + 1
    report(true, full_name, " # SKIP " .. tostring(problem.why):gsub("\n", " "))
  else
    state.failed = state.failed + 1
    report(false, full_name, nil, problem .. ("\nafter %.2f s of processor time"):format(os.clock() - started))
  end
end

--- Loads and runs one spec file; a file that does not load is one failed test.
function t.run_file(path)
  state.prefix = path:match("([^/]+)_spec%.lua$") or path
  state.prefix = state.prefix .. ": "
  local before = state.count
  local chunk, problem = loadfile(path)
  local ok = chunk ~= nil
  if ok then ok, problem = xpcall(chunk, traceback) end
  if not ok then
    if type(problem) == "table" then
      state.skipped = state.skipped + 1
      report(true, state.prefix .. "whole file", " # SKIP " .. tostring(problem.why))
    else
      state.failed = state.failed + 1
      report(false, state.prefix .. "the file runs", nil, tostring(problem))
    end
  elseif state.count == before then
    state.failed = state.failed + 1
    report(false, state.prefix .. "the file has tests", nil, "no t.test was called")
  end
end

--- Prints the plan; returns the number of failed tests.
function t.finish()
  io.stdout:write("1..", state.count, "\n")
  io.stdout:flush()
  return state.failed
end

t.show = show

return t
