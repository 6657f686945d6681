-- eval.limit and eval.model as scripts outside of an experiment see them; over workers: tests/cli/limits.bats.

local eval = require "evalua"
local permits = require "evalua.permits"
local sys = require "evalua.native.sys"
local t = require "harness"

t.test("a limit runs a function and returns what it returns", function()
  local db = eval.limit { id = "spec.plain", max_concurrency = 2 }
  t.equal({ db(function(a, b) return b, a, nil, 4 end, 1, 2) }, { 2, 1, nil, 4 })
  t.equal(db.id, "spec.plain")
  t.equal(db.max_concurrency, 2)
  t.equal(db.requests_per_minute, nil)
end)

t.test("never more than the limit at a time, first come first served", function()
  local db = eval.limit { id = "spec.two", max_concurrency = 2 }
  local active, most, order, calls = 0, 0, {}, {}
  for number = 1, 12 do
    calls[number] = db:wrap(function()
      active = active + 1
      most = math.max(most, active)
      order[#order + 1] = number
      eval.sleep(2)
      active = active - 1
    end)
  end
  eval.all(calls)
  t.equal(most, 2)
  t.equal(order, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 })
end)

t.test("an error gives the permit back and is the caller's", function()
  local one = eval.limit { id = "spec.error", max_concurrency = 1 }
  for _ = 1, 3 do t.raises(function() one(function() error "inside" end) end, "inside") end
  t.equal(one(function() return "free" end), "free")
end)

t.test("what runs under a limit does not wait for itself", function()
  local one = eval.limit { id = "spec.again", max_concurrency = 1 }
  t.equal(one(function() return one(function() return "inner" end) end), "inner")
  t.raises(function()
    local holder = coroutine.wrap(function() one(coroutine.yield) end)
    holder()
    one(function() end)
  end, "limit_spec.lua:%d+: waiting for a permit of limit:spec.again would never end")
end)

t.test("coroutines and branches of what runs under a limit do not wait for it for ever, and keep its bound", function()
  local one = eval.limit { id = "spec.inside", max_concurrency = 1 }
  local function again() return one(function() return "inner" end) end
  t.equal(one(function() return coroutine.wrap(again)() end), "inner")
  local running, most, order = 0, 0, {}
  local function branch(name)
    return one:wrap(function()
      running = running + 1
      most = math.max(most, running)
      eval.sleep(2)
      -- Once more, by way of a branch of the branch.
      eval.all { one:wrap(function() eval.sleep(1) end), function() order[#order + 1] = name end }
      running = running - 1
      return name
    end)
  end
  t.equal(one(function() return eval.all { branch "a", branch "b", branch "c" } end), { "a", "b", "c" })
  t.equal(most, 1)
  t.equal(order, { "a", "b", "c" })
  t.equal(one(function() return "free" end), "free")
end)

t.test("a branch that ends early, waiting for its turn or with it, stops no other", function()
  local one = eval.limit { id = "spec.early", max_concurrency = 1 }
  local attempt = require("evalua.native.task").attempt
  one(function()
    eval.all {
      function() t.equal(attempt(20, function() one(function() eval.sleep(5000) end) end), "timeout") end,
      function() t.equal(attempt(5, function() one(function() end) end), "timeout") end,
      function() t.equal(one(function() return "third" end), "third") end,
      function() t.raises(function() one(function() error "inside" end) end, "inside") end,
      function() t.equal(one(function() return "last" end), "last") end,
    }
  end)
  t.equal(one(function() return "free" end), "free")
end)

t.test("giving up those who wait frees nothing and blocks nobody", function()
  local one = eval.limit { id = "spec.given_up", max_concurrency = 1 }
  local task = require "evalua.native.task"
  eval.all {
    function() one(function() eval.sleep(100) end) end,
    function() for _ = 1, 3 do t.equal(task.attempt(10, function() one(function() end) end), "timeout") end end,
  }
  t.equal(one(function() return "free" end), "free")
end)

t.test("a holder that is given up gives back", function()
  local one = eval.limit { id = "spec.holder", max_concurrency = 1 }
  t.equal(require("evalua.native.task").attempt(10, function() one(function() eval.sleep(5000) end) end), "timeout")
  t.equal(one(function() return "free" end), "free")
end)

t.test("requests_per_minute: a second's worth at once, then evenly", function()
  local rate = eval.limit { id = "spec.rate", requests_per_minute = 1200 }
  local begin = sys.monotonic_ms()
  for _ = 1, 24 do rate(function() end) end
  local ms = sys.monotonic_ms() - begin
  t.ok(ms > 150 and ms < 1500, ms)
end)

t.test("thousands wait for one", function()
  local one = eval.limit { id = "spec.many", max_concurrency = 1 }
  local calls, sum = {}, 0
  for number = 1, 3000 do calls[number] = one:wrap(function() sum = sum + number end) end
  eval.all(calls)
  t.equal(sum, 3000 * 3001 // 2)
end)

t.test("mistakes are named", function()
  t.raises(function() eval.limit { id = "x", max_concurency = 3 } end, 'did you mean "max_concurrency"')
  t.raises(function() eval.limit { id = "x" } end, "needs max_concurrency or requests_per_minute")
  t.raises(function() eval.limit { id = "x", max_concurrency = 0 } end, "at least 1")
  local db = eval.limit { id = "spec.mistakes", max_concurrency = 1 }
  t.raises(function() db() end, "is called with a function")
  t.raises(function() db:wrap(1) end, "takes a function")
  t.raises(function() return db.max_concurency end, 'did you mean "max_concurrency"')
  t.raises(function() db.limit = 2 end, "cannot be assigned")
end)

-- ---- models ----

t.test("a model is a strict record", function()
  local model = eval.model {
    id = "spec/plain", url = "https://models.test/v1", max_concurrency = 4, price = { input = 1 },
  }
  t.equal(model.url, "https://models.test/v1")
  t.equal(model.requests_per_minute, nil)
  t.raises(function() return model.pricee end, 'did you mean "price"')
  t.equal(tostring(model), "spec/plain")
end)

t.test("mistakes in a model are named, all at once", function()
  t.raises(function() eval.model { id = "x", max_concurency = 3 } end, 'did you mean "max_concurrency"')
  t.raises(function() eval.model { id = "x", url = "models.test" } end, "must begin with http")
  local problem = t.raises(function() eval.model { id = "x", price = { inputs = 1, output = "2" } } end, 'mean "input"')
  t.matches(tostring(problem), "price.output of eval.model must be a number")
end)

t.test("the cost of usage, in USD per million tokens; unknown is not free", function()
  local model = eval.model { id = "spec/priced", price = { input = 0.15, output = 0.6 } }
  t.near(model:cost { input_tokens = 1000, output_tokens = 500 }, 0.00045, 1e-15)
  t.equal(model:cost { input_tokens = 0, output_tokens = 0 }, 0)
  t.equal(model:cost {}, nil)
  t.equal(model:cost(nil), nil)
  t.equal(eval.model { id = "spec/half", price = { input = 1 } }:cost { input_tokens = 1, output_tokens = 1 }, nil)
  t.equal(eval.model { id = "spec/unpriced" }:cost { input_tokens = 1 }, nil)
end)

t.test("usage is found under the names that services give it", function()
  local model = require "evalua.model"
  local priced = eval.model { id = "spec/usage", price = { input = 1, output = 2 } }
  local body = eval.json.decode '{"usage": {"prompt_tokens": 1000000, "completion_tokens": 500000, "total_tokens": 3}}'
  t.equal(model.account(priced, body, nil), { usage = { input_tokens = 1000000, output_tokens = 500000, cost = 2 } })
  t.equal(model.account(priced, {}, nil), nil)
  t.equal(model.account(priced, body, { usage = { input_tokens = 5, output_tokens = 0, cost = 7 }, context = "c" }),
    { usage = { input_tokens = 5, output_tokens = 0, cost = 7 }, context = "c" })
end)

t.test("relative URLs are put behind the model's; its key goes to its host only", function()
  local model = require "evalua.model"
  local made = eval.model { id = "spec/url", url = "https://models.test/v1/", api_key = "key-of-spec" }
  t.equal(model.url_of(made, "chat/completions"), "https://models.test/v1/chat/completions")
  t.equal(model.url_of(made, "/chat"), "https://models.test/v1/chat")
  t.equal(model.url_of(made, nil), "https://models.test/v1/")
  t.equal(model.url_of(made, "http://other.test/x"), "http://other.test/x")
  t.equal(model.authorization(made, "https://models.test/v1/chat", {}), "Bearer key-of-spec")
  t.equal(model.authorization(made, "https://models.test/v1/chat", { authorization = "mine" }), nil)
  t.equal(model.authorization(made, "https://models.test:444/", {}), nil)
  t.equal(model.authorization(made, "http://models.test/", {}), nil)
end)

t.test("requests name a model by its id; a wrong one is hinted at", function()
  eval.model { id = "spec/named", url = "http://127.0.0.1:1" }
  t.raises(function() eval.fetch { model = "spec/name", url = "x" } end, 'did you mean "spec/named"')
  t.raises(function() eval.http { id = "t", model = "spec/name" } end, 'did you mean "spec/named"')
  t.raises(function() eval.fetch { model = 1 } end, "a string that is not empty or a table")
  t.raises(function() eval.fetch { model = {} } end, "what eval.model returned")
  t.raises(function() eval.fetch {} end, 'option "url" of eval.fetch is missing')
  t.raises(function() eval.http { id = "t" } end, 'option "url" of eval.http is missing')
  eval.model { id = "spec/nowhere" }
  t.raises(function() eval.fetch { model = "spec/nowhere", url = "chat" } end, "must be a whole URL")
end)

t.test("a key is a secret, wherever it came from", function()
  eval.model { id = "spec/secret", api_key = "sk-literal-12345" }
  t.equal(require("evalua.secrets").redact "x sk-literal-12345 y", "x [api_key of spec_secret] y")
end)

-- ---- hosts ----

t.test("hosts are told apart by their key, which their name does not show", function()
  local name = permits.host_name("https://a.test", { Authorization = "Bearer secret" })
  t.matches(name, "^https://a%.test %x+$")
  t.equal(permits.host_name("https://a.test", { ["x-API-key"] = "Bearer secret" }), name)
  t.not_equal(permits.host_name("https://a.test", { Authorization = "Bearer other" }), name)
  t.equal(permits.host_name("https://a.test", { Accept = "text/plain", Authorization = false }), "https://a.test")
end)
