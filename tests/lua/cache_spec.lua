-- The request cache without a network: what a key is made of, what is kept, modes, cassettes, and where the file is.

local t = require "harness"
local cache = require "evalua.cache"
local cassette = require "evalua.cassette"
local json = require "evalua.json"
local keeper = require "evalua.cache_keeper"
local key = require "evalua.cache_key"
local native = require "evalua.native.cache"
local secrets = require "evalua.secrets"
local text = require "evalua.native.text"

local SECRET = "sk-cache-spec-0123456789"
secrets.add("SPEC_KEY", SECRET)

local function request(changes)
  local made = { method = "POST", url = "http://host/path", headers = { ["Content-Type"] = "application/json" },
    body = '{"a":1}' }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

local function digest(made, follows)
  local _, found = key.seal(key.of_request(made, follows ~= false))
  return found
end

local plain = digest(request())

local function same(changes) t.equal(digest(request(changes)), plain) end
local function differs(changes) t.ok(digest(request(changes)) ~= plain) end

local function temporary(name)
  local directory = os.getenv "EVALUA_TEST_TMP" or "/tmp"
  return ("%s/cache_spec_%s_%s"):format(directory, text.uuid(), name)
end

local function write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  file:write(content)
end

-- ---- keys ----

t.test("method, url, body and headers that mean something count", function()
  differs { method = "PUT" }
  differs { url = "http://host/other" }
  differs { url = "http://host/path?page=2" }
  differs { body = '{"a":2}' }
  differs { body = "" }
  differs { headers = { ["Content-Type"] = "application/json", ["Anthropic-Version"] = "2023-06-01" } }
  t.ok(digest(request(), false) ~= plain) -- redirects that are not followed are another answer
end)

t.test("what differs from run to run, or from machine to machine, does not", function()
  same { body = '{ "a" : 1.0 }' }
  same { url = "http://host/path#part" }
  same { headers = { ["content-type"] = "application/json" } }
  same { headers = { ["Content-Type"] = "application/json", ["User-Agent"] = "x", ["X-Request-Id"] = "1",
    traceparent = "00-1-2-3", ["Idempotency-Key"] = "k", Accept = false } }
end)

t.test("the order of keys in a JSON body does not count, their values do", function()
  local one = digest(request { body = '{"a":1,"b":[1,2]}' })
  t.equal(digest(request { body = '{"b":[1,2],"a":1}' }), one)
  t.ok(digest(request { body = '{"b":[2,1],"a":1}' }) ~= one)
end)

t.test("keys are no part of it, wherever they stand", function()
  same { headers = { ["Content-Type"] = "application/json", Authorization = "Bearer x", Cookie = "a=b",
    ["X-Api-Key"] = "y", ["api-key"] = "z", ["X-Auth-Token"] = "q" } }
  same { url = "http://user:password@host/path" }
  local with_key = digest(request { url = "http://host/path?api_key=one&q=1" })
  t.equal(digest(request { url = "http://host/path?api_key=two&q=1" }), with_key)
  t.ok(digest(request { url = "http://host/path?api_key=two&q=2" }) ~= with_key)
  t.equal(digest(request { url = "http://host/path?key=AIzaSyA1234567890abcdefg" }),
    digest(request { url = "http://host/path?key=AIzaSyB0987654321gfedcba" }))
end)

t.test("a parameter that only looks like a key by its name counts", function()
  local function of(query) return digest(request { url = "http://host/path?" .. query }) end
  t.ok(of "key=name" ~= of "key=id")
  t.ok(of "page_token=a" ~= of "page_token=b")
end)

t.test("what eval.env read stands as its name in url, headers, body, argv, stdin and env", function()
  local function sealed(identity) return (key.seal(identity)) end
  local http = sealed(key.of_request(request { url = "http://host/" .. SECRET, body = '{"k":"' .. SECRET .. '"}',
    headers = { ["X-Other"] = SECRET } }, true))
  t.ok(not http:find(SECRET, 1, true))
  t.ok(http:find("http://host/[SPEC_KEY]", 1, true))
  local command = sealed(key.of_command({ argv = { "tool", SECRET }, env = { OTHER = SECRET }, mode = "oneshot" },
    "in " .. SECRET))
  t.ok(not command:find(SECRET, 1, true))
end)

t.test("a command is its argv, its input and the env that it declares, not its directory", function()
  local function of(spec, input)
    spec.mode = spec.mode or "oneshot"
    local _, found = key.seal(key.of_command(spec, input))
    return found
  end
  local one = of({ argv = { "tool", "a" }, cwd = "/here" }, "in")
  t.equal(of({ argv = { "tool", "a" }, cwd = "/there" }, "in"), one)
  t.ok(of({ argv = { "tool", "b" } }, "in") ~= one)
  t.ok(of({ argv = { "tool", "a" } }, "other") ~= one)
  t.ok(of({ argv = { "tool", "a" }, env = { LEVEL = "2" } }, "in") ~= one)
  t.ok(of({ argv = { "tool", "a" }, mode = "persistent" }, "in") ~= one)
end)

t.test("bytes that are no text are kept as base64", function()
  local record = {}
  key.put_bytes(record, "body", "\xff\0x")
  key.put_bytes(record, "other", "grün")
  t.equal(record, { body_base64 = text.base64 "\xff\0x", other = "grün" })
  t.equal(key.get_bytes(record, "body"), "\xff\0x")
  t.equal(key.get_bytes(record, "other"), "grün")
  t.equal(key.get_bytes({ body_base64 = "?" }, "body"), nil)
end)

t.test("headers of an answer that speak of its moment, or are secret, are not kept", function()
  t.equal(key.answer_headers { ["content-type"] = "a/b", date = "now", ["set-cookie"] = "s", ["x-request-id"] = "1",
    ["x-ratelimit-remaining"] = "3", ["x-model"] = SECRET }, { ["content-type"] = "a/b", ["x-model"] = "[SPEC_KEY]" })
end)

-- ---- modes ----

t.test("the option of an experiment", function()
  t.equal(cache.resolve(nil, "x:1"), nil)
  t.equal(cache.resolve("replay", "x:1"), { mode = "replay" })
  t.equal(cache.resolve(true, "x:1"), { mode = "use" })
  t.equal(cache.resolve(false, "x:1"), { mode = "off" })
  t.equal(cache.resolve({ file = "c.jsonl" }, "x:1"), { mode = "use", file = "c.jsonl" })
  t.raises(function() cache.resolve("reply", "x:1") end, 'x:1: .*cannot be "reply"; did you mean "replay"')
  t.raises(function() cache.resolve({ fil = "a" }, "x:1") end, 'unknown field "fil".*"file"')
  t.raises(function() cache.resolve({ file = 1 }, "x:1") end, "must be the path of a file")
end)

t.test("the command line goes before the experiment", function()
  t.equal(cache.mode_of_run({ cache = { mode = "use" } }, { cache = "off" }), "off")
  t.equal(cache.mode_of_run({ cache = { mode = "use" } }, {}), "use")
  t.equal(cache.mode_of_run({}, {}), nil)
end)

t.test("where the file is", function()
  t.equal(keeper.path("named.db", "suite.jsonl", "/a/evalua.db"), "named.db")
  t.equal(keeper.path(nil, "suite.jsonl", "/a/evalua.db"), "suite.jsonl")
  if not os.getenv "EVALUA_CACHE" then
    t.equal(keeper.path(nil, nil, "/a/.evalua/evalua.db"), "/a/.evalua/cache.db")
    t.equal(keeper.path(nil, nil, "/a/mine.db"), "/a/mine.cache.db")
    t.equal(keeper.path(nil, nil, "mine"), "mine.cache.db")
    t.equal(keeper.path(nil, nil, ":memory:"), ":memory:")
  end
  t.ok(keeper.is_cassette "a/b.jsonl")
  t.ok(not keeper.is_cassette "a/b.db")
end)

-- ---- cassettes ----

local function entry(target, question, answer)
  local identity = key.of_request(request { body = json.encode { q = question } }, true)
  identity.target, identity.trial = { id = target, version = "1" }, 1
  local sealed, found = key.seal(identity)
  return { digest = found, kind = "http", target_id = target, target_version = "1", trial = 1, request = sealed,
    answer = json.encode { status = 200, headers = {}, body = answer }, created_at = "2026-01-01T00:00:00.000Z" }
end

local function filled(...)
  local made = native.open(":memory:", { create = true })
  t.equal(made:put({ ... }, false), true)
  return made
end

t.test("a cassette that was written is read back as it was, in one order", function()
  local path = temporary "a.jsonl"
  local source = filled(entry("b", "2", "two"), entry("a", "9", "nine"), entry("b", "1", "o\nne"))
  t.equal(cassette.write(path, source), 3)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  t.equal(#lines, 3)
  t.ok(lines[1]:find('"q":"9"', 1, true) and lines[2]:find('"q":"1"', 1, true) and lines[3]:find('"q":"2"', 1, true))
  local other, again = filled(), temporary "b.jsonl"
  t.equal(cassette.read(path, other), 3)
  t.equal(cassette.write(again, other), 3)
  t.equal(t.read_file(again), t.read_file(path))
  t.equal(cassette.write(again, other, "a"), 1)
  os.remove(path)
  os.remove(again)
end)

t.test("every wrong line is named, and nothing is read", function()
  local path = temporary "bad.jsonl"
  local source = filled(entry("a", "1", "one"))
  cassette.write(path, source)
  local good = t.read_file(path)
  local function changed(from, to)
    local at = good:find(from, 1, true)
    assert(at, from)
    return good:sub(1, at - 1) .. to .. good:sub(at + #from)
  end
  write(path, table.concat { good, "\n", changed('"q":"1"', '"q":"2"'), "{nothing\n", "[1]\n",
    changed('"status":200', '"status":500'), changed('"digest"', '"digset"'),
    changed('"kind":"http"', '"kind":"ftp"') })
  local into = filled()
  local count, problem = cassette.read(path, into)
  t.equal(count, nil)
  t.equal(into:count(), 0)
  for number, part in pairs { [3] = "the digest is not that of its request", [4] = "line 1 column 2", [5] = "an object",
    [6] = "from 200 to 299", [7] = 'unknown field "digset"', [8] = "request.kind" } do
    local line = problem:match(("%s:%d: ([^\n]*)"):format(path:gsub("%p", "%%%0"), number))
    t.ok(line and line:find(part, 1, true), ("line %d: %s"):format(number, tostring(line)))
  end
  t.ok(not problem:find(path .. ":1:", 1, true) and not problem:find(path .. ":2:", 1, true))
  os.remove(path)
end)

t.test("entries of commands", function()
  local path = temporary "command.jsonl"
  local sealed, found = key.seal(key.of_command({ argv = { "sort" }, mode = "oneshot" }, "b\na"))
  local source = filled { digest = found, kind = "command", target_id = "", target_version = "", trial = 0,
    request = sealed, answer = '{"stdout":"a\\nb\\n"}', created_at = "2026-01-01T00:00:00.000Z" }
  cassette.write(path, source)
  local into = filled()
  t.equal(cassette.read(path, into), 1)
  t.equal(into:get(found), '{"stdout":"a\\nb\\n"}')
  os.remove(path)
end)
