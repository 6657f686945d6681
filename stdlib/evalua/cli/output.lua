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

-- The file itself where `path` is a link to it: the link stays.
local function target_of(path) return sys.realpath(path) or path end

-- What is written before it is complete.
local function temporary_of(path) return ("%s.%d.part"):format(target_of(path), sys.pid()) end

-- Opens what becomes the file `path`. Raises (exit 2) where nothing can be written there.
local function open_temporary(path)
  local directory = path:match("^(.*)/[^/]*$")
  if directory and directory ~= "" and sys.exists(directory) ~= "directory" then
    fail.usage("-o %s: there is no directory %s", path, directory)
  elseif sys.exists(path) == "directory" then
    fail.usage("-o %s: it is a directory; name a file in it", path)
  end
  local handle, problem = io.open(temporary_of(path), "wb")
  if handle then return handle end
  fail.usage("-o %s: it cannot be written: %s", path, (tostring(problem):gsub("^.*%.part: ", "")))
end

---Checks that a file can be written at `path`, before anything is done. Leaves nothing there. Raises (exit 2).
---@param path string
function output.check(path)
  open_temporary(path):close()
  os.remove(temporary_of(path))
end

-- One name for a file, however it is written.
local function place_of(path)
  local directory, name = path:match("^(.*)/([^/]*)$")
  if not directory then directory, name = ".", path end
  return (sys.realpath(directory ~= "" and directory or "/") or directory) .. "/" .. name
end

---The formats of the files of -o, each by its ending, all of them files that can be written. Raises (exit 2).
---@param paths string[]|nil
---@param endings string[]|nil those that the command has; default all
---@return string[] formats
function output.formats_of(paths, endings)
  local found, seen = {}, {}
  for position, path in ipairs(paths or {}) do
    found[position] = output.format_of(path, endings)
    local place = place_of(path)
    if seen[place] then fail.usage("-o %s is given twice", path) end
    seen[place] = true
  end
  for _, path in ipairs(paths or {}) do output.check(path) end
  return found
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
    if not abandoned then fail.incomplete("%s", tostring(problem)) end
  end)
end

---A writer to a file: nothing is at `path` before `close()`, which puts the whole text there.
---@param path string
---@return {write: fun(text: string), flush: fun(), close: fun(), abandon: fun()}
function output.file(path)
  local temporary, handle = temporary_of(path), open_temporary(path)
  local is_open = true
  local function checked(done, reason)
    if done then return end
    if is_open then handle:close() end
    is_open = false
    os.remove(temporary)
    fail.incomplete("-o %s: writing failed: %s", path, tostring(reason))
  end
  local writer = buffered(function(piece) checked(handle:write(secrets.redact(piece))) end)
  function writer.close()
    writer.flush()
    is_open = false
    checked(handle:close())
    checked(os.rename(temporary, target_of(path)))
  end
  function writer.abandon()
    if is_open then handle:close() end
    is_open = false
    os.remove(temporary)
  end
  -- What ends a command before close (an error, Ctrl-C) leaves no half of a file; workers have copies of this one.
  local pid = sys.pid()
  return setmetatable(writer, { __gc = function() if is_open and sys.pid() == pid then writer.abandon() end end })
end

---Writes the files of -o, one after another.
---@param paths string[]|nil
---@param file_formats string[] of output.formats_of
---@param put fun(format: string, write: fun(text: string)) writes what is shown in that format
function output.write_files(paths, file_formats, put)
  for position, path in ipairs(paths or {}) do
    local file = output.file(path)
    local done, problem = pcall(put, file_formats[position], file.write)
    if not done then
      file.abandon()
      error(problem, 0)
    end
    file.close()
  end
end

return output
