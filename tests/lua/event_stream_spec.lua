-- Server-sent events and lines of JSON, in pieces of every size; recorded streams of providers.

local t = require "harness"
local event_stream = require "evalua.event_stream"
local json = require "evalua.json"

local function pieces(text, size)
  local at = 1
  return function()
    if at > #text then return nil end
    local piece = text:sub(at, at + size - 1)
    at = at + size
    return piece
  end
end

local function events(text, size)
  local list = {}
  for event in event_stream.events(pieces(text, size or #text + 1)) do list[#list + 1] = event end
  return list
end

t.test("events: fields, comments, joined data, and one space after the colon", function()
  t.equal(events ": hello\n\nevent: add\ndata: 1\ndata:  two\nid: 7\nretry: 50\nfoo: bar\n\ndata\n\n", {
    { event = "add", data = "1\n two", id = "7", retry = 50 },
    { event = "message", data = "", id = "7" },
  })
end)

t.test("events: a name without data dispatches nothing and is forgotten", function()
  t.equal(events "event: x\n\ndata: a\n\n", { { event = "message", data = "a" } })
end)

t.test("events: an id with NUL and a retry that is no number are ignored", function()
  t.equal(events "id: a\0b\nretry: 1s\ndata: x\n\n", { { event = "message", data = "x" } })
end)

t.test("events: a byte order mark is passed over, bytes that are not UTF-8 are repaired", function()
  t.equal(events "\xEF\xBB\xBFdata: a\xFFb\n\n", { { event = "message", data = "a\u{FFFD}b" } })
end)

t.test("events: the end of the stream ends the last event", function()
  for _, stop in ipairs { "\n\n", "\n", "" } do
    t.equal(events("data: a\n\ndata: b" .. stop), {
      { event = "message", data = "a" }, { event = "message", data = "b" },
    })
  end
end)

t.test("events: every line end, in pieces of every size", function()
  for _, stop in ipairs { "\n", "\r\n", "\r" } do
    local text = table.concat({ "data: a", "data: b", "", "event: e", "data: c", "", "" }, stop)
    for size = 1, #text do
      t.equal(events(text, size), { { event = "message", data = "a\nb" }, { event = "e", data = "c" } },
        ("%q in pieces of %d"):format(stop, size))
    end
  end
end)

t.test("events: a line over the limit is an error with the limit's name", function()
  local limit = event_stream.LINE_BYTES_MAX
  event_stream.LINE_BYTES_MAX = 100
  local ok, problem = pcall(events, "data: " .. ("x"):rep(200), 10)
  event_stream.LINE_BYTES_MAX = limit
  t.ok(not ok)
  t.equal(problem.code, "too_large")
  t.equal(problem.status, "limited")
  t.matches(problem.message, "line_bytes")
end)

t.test("lines of JSON in pieces of every size; the last needs no end", function()
  local text = '{"a":1}\r\n\n[2]\nnull\n"x"'
  for size = 1, #text do
    local values = {}
    for value in event_stream.json_lines(pieces(text, size)) do values[#values + 1] = json.encode(value) end
    t.equal(values, { '{"a":1}', "[2]", "null", '"x"' })
  end
end)

t.test("a line that is not JSON is an error with its number", function()
  local ok, problem = pcall(function()
    for _ in event_stream.json_lines(pieces('{}\n{"a":\n', 3)) do end
  end)
  t.ok(not ok)
  t.equal(problem.code, "bad_json")
  t.matches(problem.message, "line 2 of the stream")
end)

t.test("recorded: a chat completion of OpenAI", function()
  local text = t.read_file(t.shared "data/http_recorded/openai_otel/bodies/test_chat_completion_streaming.1.sse")
  for _, size in ipairs { 1, 7, 1000, #text } do
    local said, count, last = {}, 0, nil
    for event in event_stream.events(pieces(text, size)) do
      count, last = count + 1, event.data
      if event.data ~= "[DONE]" then
        local chunk = json.decode(event.data, { mode = "foreign" })
        local choice = chunk.choices[1]
        local content = choice and choice.delta.content
        if type(content) == "string" then said[#said + 1] = content end
      end
    end
    t.equal(last, "[DONE]")
    t.ok(count > 3, "events")
    t.ok(#table.concat(said) > 0, "text")
  end
end)

t.test("recorded: messages of Anthropic with named events", function()
  for _, name in ipairs { "basic_response", "tool_use_response" } do
    local text = t.read_file(t.shared("data/http_recorded/anthropic_sdk/" .. name .. ".sse"))
    local names = {}
    for event in event_stream.events(pieces(text, 13)) do
      names[#names + 1] = event.event
      t.equal(json.decode(event.data, { mode = "foreign" }).type, event.event)
    end
    t.equal(names[1], "message_start")
    t.equal(names[#names], "message_stop")
  end
end)
