-- Where reports go: stdout or files, in pieces, so that a report of any size stays small. Files appear when complete.

local fail = require "evalua.cli.fail"
local formats = require "evalua.report.formats"
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"

local output = {}

local PIECES_BYTES = 65536

---The format that the ending of a file name asks for. Raises (exit 2) where it is none of those there are.
---@param path string
---@param endings string[]? those that the command has; default all
---@return string format
function output.format_of(path, endings)
  endings = endings or formats.endings
  local ending = path:match("[^/]%.(gitlab%.json)$") or path:match("%.([%w_]+)$")
  for _, known in ipairs(endings) do if ending == known then return formats.by_ending[known] end end
  local near = ending and strict.nearest(ending, endings)
  fail.usage("-o %s: the ending says the format; there are .%s and .%s%s", path,
    table.concat(endings, ", .", 1, #endings - 1), endings[#endings],
    near and (": did you mean ." .. near .. "?") or "")
end

-- Collects pieces and hands them on in large ones.
local function buffered(sink)
  local pieces, size = {}, 0
  local writer = {}
  function writer.flush()
    if size > 0 then sink(table.concat(pieces)) end
    pieces, size = {}, 0
  end
  function writer.write(piece)
    pieces[#pieces + 1] = piece
    size = size + #piece
    if size >= PIECES_BYTES then writer.flush() end
  end
  return writer
end

---A writer to stdout: `write(text)` collects, `flush()` sends. A reader that has left (`| head`) is no failure.
---@return {write: fun(text: string), flush: fun()}
function output.stdout()
  local abandoned = false
  return buffered(function(piece)
    if abandoned then return end
    local done, problem = sys.stdout_write(piece)
    if done ~= nil or not problem then return end
    abandoned = tostring(problem):find("Broken pipe", 1, true) ~= nil
    if not abandoned then fail.incomplete("stdout: %s", tostring(problem)) end
  end)
end

---A writer to a file: nothing is at `path` before `close()`, which puts the whole text there.
---@param path string
---@return {write: fun(text: string), flush: fun(), close: fun(), abandon: fun()}
function output.file(path)
  local temporary = ("%s.%d.part"):format(path, sys.pid())
  local handle, problem = io.open(temporary, "wb")
  if not handle then fail.usage("-o %s: it cannot be written: %s", path, tostring(problem)) end
  local function checked(done, reason)
    if done then return end
    handle:close()
    os.remove(temporary)
    fail.incomplete("-o %s: writing failed: %s", path, tostring(reason))
  end
  local writer = buffered(function(piece) checked(handle:write(secrets.redact(piece))) end)
  function writer.close()
    writer.flush()
    checked(handle:close())
    checked(os.rename(temporary, path))
  end
  function writer.abandon()
    handle:close()
    os.remove(temporary)
  end
  return writer
end

return output
