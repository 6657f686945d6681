-- Posts a Markdown report as a comment of a pull or merge request, or replaces the one it posted before: that one
-- begins with the report's hidden marker. Knows GitHub Actions and GitLab CI by their variables.
-- usage: evalua exec ci/comment.lua REPORT.md
local eval = require "evalua"
local json = require "evalua.json"

local path = assert(..., "usage: evalua exec ci/comment.lua REPORT.md")
local PAGES_MAX = 30 -- of comments that are looked through

local function read(name)
  local file = assert(io.open(name, "rb"))
  local content = file:read "a"
  file:close()
  return content
end

local report = read(path)
local marker = assert(report:match "^<!%-%- [^\n]* %-%->", path .. " begins with no marker: is it a report of evalua?")

-- Sends a request; anything but success is an error that says what was asked.
local function call(headers, method, url, body)
  local answer = eval.fetch { method = method, url = url, headers = headers, json = body, timeout = "30s" }
  if answer.status >= 300 then
    error(("%s %s: HTTP %d: %s"):format(method, url, answer.status, (answer.body or ""):sub(1, 200)), 0)
  end
  return answer.json
end

-- Where the comments of this pull or merge request are, how one is addressed, and how a request is signed.
local function github()
  local event = json.decode(read(os.getenv "GITHUB_EVENT_PATH"), { mode = "foreign" })
  local root = ("%s/repos/%s/issues"):format(os.getenv "GITHUB_API_URL", os.getenv "GITHUB_REPOSITORY")
  return {
    list = ("%s/%d/comments"):format(root, event.pull_request.number), each = root .. "/comments/%d", change = "PATCH",
    headers = { authorization = "Bearer " .. os.getenv "GITHUB_TOKEN", accept = "application/vnd.github+json",
      ["user-agent"] = "evalua" },
  }
end

local function gitlab()
  local list = ("%s/projects/%s/merge_requests/%s/notes"):format(os.getenv "CI_API_V4_URL", os.getenv "CI_PROJECT_ID",
    os.getenv "CI_MERGE_REQUEST_IID")
  return { list = list, each = list .. "/%d", change = "PUT",
    headers = { ["private-token"] = os.getenv "EVALUA_GITLAB_TOKEN" } }
end

local place = os.getenv "GITHUB_ACTIONS" and github() or os.getenv "GITLAB_CI" and gitlab()
  or error("this is neither GitHub Actions nor GitLab CI", 0)

local function find()
  for page = 1, PAGES_MAX do
    local comments = call(place.headers, "GET", ("%s?per_page=100&page=%d"):format(place.list, page))
    for _, comment in ipairs(comments) do
      if comment.body:sub(1, #marker) == marker then return comment.id end
    end
    if #comments < 100 then return nil end
  end
end

local id = find()
if id then
  call(place.headers, place.change, place.each:format(id), { body = report })
else
  call(place.headers, "POST", place.list, { body = report })
end
print(id and "replaced the comment" or "posted a comment")
