-- evalua init: writes a suite that runs and what editors need to complete and check suites. Overwrites nothing.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local sys = require "evalua.native.sys"

local parsed = options.begin("init", ...)
if not parsed then return 0 end

local EXAMPLE = [==[
-- A suite: a dataset, a target, scorers and rules. Run it with: evalua run example.eval.lua
local eval = require "evalua"

eval.dataset {
  name = "example",
  items = {
    { id = "france", input = "What is the capital of France?", ground_truth = "Paris" },
    { id = "japan", input = "What is the capital of Japan?", ground_truth = "Tokyo" },
    { id = "peru", input = "What is the capital of Peru?", ground_truth = "Lima" },
  },
}

-- What is tested: any function, or a program of yours with
-- eval.command { id = "app", argv = { "python3", "app.py" } }
local capitals = { France = "Paris", Japan = "Tokyo", Peru = "Lima" }
eval.target {
  id = "capitals",
  run = function(input)
    local country = input:match("capital of (%a+)")
    return capitals[country] or "I do not know"
  end,
}

eval.scorer {
  id = "short",
  score = function(run) return #run.output <= 20, #run.output .. " bytes" end,
}

eval.experiment {
  name = "capitals",
  dataset = "example",
  target = "capitals",
  scorers = { eval.scorers.exact, "short" },
  rules = { eval.rules.at_least("exact", 0.9) },
}
]==]

local function join(directory, name) return directory == "." and name or (directory:gsub("/$", "") .. "/" .. name) end

local function make_directory(path)
  if sys.exists(path) == "directory" then return end
  local parent = path:match("^(.+)/[^/]+$")
  if parent then make_directory(parent) end
  local done, problem = sys.mkdir(path)
  if not done then fail.usage("init: %s: %s", path, tostring(problem)) end
end

local function write(directory, name, content)
  local path = join(directory, name)
  if sys.exists(path) then
    sys.stdout_write(("kept %s, which is there already\n"):format(path))
    return
  end
  local parent = path:match("^(.+)/[^/]+$")
  if parent then make_directory(parent) end
  local done, problem = sys.write_file(path, content)
  if not done then fail.usage("init: %s: %s", path, tostring(problem)) end
  sys.stdout_write(("wrote %s\n"):format(path))
end

local directory = parsed[1] or "."
if sys.exists(directory) == "file" then fail.usage("init: %s is a file; give a directory", directory) end
write(directory, "example.eval.lua", EXAMPLE)
write(directory, ".luarc.json", json.encode({
  ["runtime.version"] = "Lua 5.4",
  ["workspace.library"] = json.array { ".evalua/meta" },
  ["workspace.checkThirdParty"] = false,
}, { pretty = true }) .. "\n")
for _, name in ipairs(sys.embedded_list("stdlib/meta")) do
  write(directory, ".evalua/meta/" .. name, sys.embedded("stdlib/meta/" .. name))
end
-- As the store writes it: only commands of one's own are worth keeping in git.
local IGNORED = "*\n!commands/\n!commands/**\n!.gitignore\n"
write(directory, ".evalua/.gitignore", IGNORED)
sys.stdout_write(("run it with: evalua run %s\n"):format(join(directory, "example.eval.lua")))
return 0
