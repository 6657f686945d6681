-- What git knows of a directory: commit and branch from its files, whether something is changed from `git status`.

local process = require "evalua.native.process"
local sys = require "evalua.native.sys"

local repository = {}

local FILE_BYTES_MAX = 16 * 1024 * 1024 -- of packed-refs
local STATUS_TIMEOUT_MS = 2000

local function read(path) return sys.exists(path) == "file" and sys.read_file(path, FILE_BYTES_MAX) or nil end

-- The directories that hold HEAD and the refs: in work trees and submodules `.git` is a file that names them.
local function directories_of(top)
  local path = top .. "/.git"
  local link = read(path)
  if not link then return path, path end
  local directory = link:match("^gitdir: ([^\n]+)")
  if not directory then return nil end
  if directory:sub(1, 1) ~= "/" then directory = top .. "/" .. directory end
  local common = (read(directory .. "/commondir") or "."):match("^[^\n]+")
  return directory, common:sub(1, 1) == "/" and common or directory .. "/" .. common
end

local function commit_of(common, ref)
  local text = read(common .. "/" .. ref)
  if text then return text:match("^%x+") end
  local packed = read(common .. "/packed-refs")
  return packed and ("\n" .. packed):match("\n(%x+) " .. ref:gsub("%p", "%%%0") .. "\n") or nil
end

-- The directory that holds `.git`, from here up; nil where none does.
local function top_of(directory)
  while directory and directory ~= "" do
    if sys.exists(directory .. "/.git") then return directory end
    directory = directory:match("^(.*)/[^/]*$")
  end
  return nil
end

local asked -- { top, child }: a `git status` under way

local function start_status(top)
  return process.spawn {
    argv = { "git", "-C", top, "status", "--porcelain", "--untracked-files=no" }, stdin = false,
    env = { GIT_OPTIONAL_LOCKS = "0" },
  }
end

-- True where files that git knows are changed; nil where git is not there or too slow.
local function is_dirty(top)
  local child <close> = asked and asked.child
  local is_right = child and asked.top == top
  asked = nil
  local own <close> = not is_right and start_status(top) or nil
  local status = own or is_right and child
  if not status then return nil end
  status:deadline(STATUS_TIMEOUT_MS)
  local ended = status:finish()
  if ended.over then return true end
  if ended.code ~= 0 then return nil end
  return ended.stdout ~= ""
end

---Starts to ask git about the directory, so that `of` need not wait: that takes longer than starting a run.
---@param directory string an absolute path
function repository.ask(directory)
  local top = not asked and top_of(directory)
  local child = top and start_status(top)
  if child then asked = { top = top, child = child } end
end

---The repository that a directory is in.
---@param directory string an absolute path
---@return { commit: string|nil, branch: string|nil, dirty: boolean|nil }|nil
function repository.of(directory)
  local top = top_of(directory)
  if not top then return nil end
  local own, common = directories_of(top)
  local head = own and read(own .. "/HEAD")
  if not head then return nil end
  local ref = head:match("^ref: (%S+)")
  return { branch = ref and ref:gsub("^refs/heads/", "") or nil,
    commit = ref and commit_of(common, ref) or head:match("^%x+"), dirty = is_dirty(top) }
end

return repository
