local t = require "harness"
local param = require "evalua.param"
local secrets = require "evalua.secrets"
local suite = require "evalua.suite"

local function load(text, params, check)
  return suite.load("params.eval.lua", { text = "local eval = require 'evalua'\n" .. text, params = params,
    check_params = check })
end

t.test("a parameter is its default or what -p gives, of the type of the default", function()
  t.equal(load("eval.param { name = 'model', default = 'small' }").params, { model = "small" })
  t.equal(load("eval.param { name = 'model', default = 'small' }", { model = "7" }).params, { model = "7" })
  t.identical(load("eval.param { name = 'n', default = 5 }", { n = "7" }).params, { n = 7 })
  t.identical(load("eval.param { name = 'on', default = true }", { on = "no" }).params, { on = false })
  t.identical(load("eval.param { name = 'n', type = 'integer' }", { n = "7.0" }).params, { n = 7 })
end)

t.test("values that do not fit", function()
  local problem = t.raises(function() load("eval.param { name = 'n', default = 5 }", { n = "many" }) end,
    'params.eval.lua:2: parameter -p n: "many" is not a number')
  t.equal(problem.exit, 2)
  t.raises(function() load("eval.param { name = 'on', default = true }", { on = "perhaps" }) end,
    "neither true nor false")
  t.raises(function() load("eval.param { name = 'n', type = 'integer' }", { n = "1.5" }) end, "not a whole number")
  t.raises(function() load("eval.param { name = 'm', default = 'a', enum = { 'small', 'large' } }", { m = "smal" }) end,
    'parameter m cannot be "smal"; did you mean "small"?')
end)

t.test("without a default a parameter must be given", function()
  t.raises(function() load("eval.param { name = 'items' }") end, "must be given: -p items=VALUE")
end)

t.test("an unknown -p names the nearest parameter", function()
  t.raises(function() load("eval.param { name = 'model', default = 'x' }", { modle = "y" }, true) end,
    '-p modle: no suite has a parameter modle; did you mean "model"?')
end)

t.test("environment variables are required without a default and become secrets", function()
  t.raises(function() param.environment("EVALUA_NO_SUCH_VARIABLE") end, "EVALUA_NO_SUCH_VARIABLE is not set")
  t.equal(param.environment("EVALUA_NO_SUCH_VARIABLE", "x"), "x")
  local path = param.environment("PATH")
  t.equal(path, os.getenv("PATH"))
  t.equal(secrets.redact("a " .. path .. " b"), "a [PATH] b")
end)

t.test("the longest secret is replaced first, short values never", function()
  secrets.add("SHORT", "ab")
  secrets.add("KEY", "secret-key")
  secrets.add("LONG_KEY", "secret-key-long")
  t.equal(secrets.redact("ab secret-key-long secret-key secret-key"), "ab [LONG_KEY] [KEY] [KEY]")
end)

t.test("eval.file reads from the directory of the script", function()
  local path = t.write_file(t.temp_path("prompt.md"), "Be brief.\n")
  local directory, name = path:match("^(.*/)([^/]*)$")
  local loaded = suite.load(directory .. "files.eval.lua", {
    text = ("local eval = require 'evalua'\ntext = eval.file %q\nassert(text == 'Be brief.\\n')"):format(name),
  })
  t.equal(loaded.files[2], path)
  t.raises(function() param.file("no-such-file.md") end, "no%-such%-file.md")
end)
