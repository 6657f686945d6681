-- Prints every SQL statement of preprocessed C sources, as PREPARE statements of PostgreSQL.
-- usage: evalua exec sql_statements.lua FILE...     FILE is C after `cc -E -P`
--
-- A statement is a run of string literals that stand next to each other and begin with a verb of SQL. All SQL of the
-- store is literal text, so this finds all of it, also what no test happens to run.

local VERBS = { SELECT = true, INSERT = true, UPDATE = true, DELETE = true, WITH = true }
local ESCAPES = { n = "\n", t = "\t", ["\\"] = "\\", ['"'] = '"', ["'"] = "'", ["0"] = "\0" }

local function unescape(literal)
  return (literal:gsub("\\(.)", function(letter) return ESCAPES[letter] or letter end))
end

-- Calls each(text) for every run of neighbouring literals.
local function each_text(source, each)
  local position, run = 1, nil
  while position <= #source do
    local character = source:sub(position, position)
    if character == '"' then
      local stop = position + 1
      while source:sub(stop, stop) ~= '"' do stop = stop + (source:sub(stop, stop) == "\\" and 2 or 1) end
      run = (run or "") .. unescape(source:sub(position + 1, stop - 1))
      position = stop + 1
    elseif character == "'" then
      position = source:find("'", position + (source:sub(position + 1, position + 1) == "\\" and 3 or 2), true) + 1
    elseif character:find("%s") then
      position = position + 1
    else
      if run then each(run) end
      run, position = nil, position + 1
    end
  end
end

local seen, count = {}, 0
for _, path in ipairs { ... } do
  local file = assert(io.open(path, "rb"))
  each_text(file:read("a"), function(text)
    local verb = text:match("^(%u+) ")
    if not VERBS[verb] or seen[text] then return end
    seen[text] = true
    count = count + 1
    print(("-- %s\nPREPARE s%d AS %s;"):format(path:match("[^/]+$"), count, text:gsub("%?(%d+)", "$%1")))
  end)
  file:close()
end
io.stderr:write(count .. "\n")
return 0
