-- What `run`, `resume` and `retry` show of experiments while they run and when they have ended: on stdout, in the files
-- of -o, as annotations, and the progress on stderr.

local engine = require "evalua.native.engine"
local fail = require "evalua.cli.fail"
local formats = require "evalua.report.formats"
local github = require "evalua.report.github"
local jsonl = require "evalua.report.jsonl"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local progress = require "evalua.report.progress"
local report = require "evalua.report.json"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"
local verdict = require "evalua.cli.verdict"

local run_report = {}

local Report = {}
Report.__index = Report

---A line on stderr.
---@param message string
function run_report.log(message) sys.stderr_write(text.neutral(message .. "\n")) end

---What the arguments ask for, checked before anything else happens. Raises (exit 2).
---@param parsed table parsed options: format, output
---@return table report
function run_report.of(parsed)
  return setmetatable({
    format = parsed.format or "pretty", paths = parsed.output or {}, file_formats = output.formats_of(parsed.output),
    files = {}, listeners = {}, summaries = {},
  }, Report)
end

---Opens what is written to.
---@param store table
function Report:open(store)
  self.store, self.stdout = store, output.stdout()
  for position, path in ipairs(self.paths) do
    local file = output.file(path)
    self.files[position] = file
    if self.file_formats[position] == "jsonl" then
      self.listeners[#self.listeners + 1] = jsonl.writer(file.write, store)
    end
  end
  if self.format == "jsonl" then self.listeners[#self.listeners + 1] = jsonl.writer(self.stdout.write, store) end
  self.view = pretty.view(self.stdout.write)
  -- In a workflow nothing that a model wrote may act as a command of the runner.
  if self.format ~= "pretty" then return end
  local stop_commands
  stop_commands, self.go_commands = github.guard()
  if stop_commands then
    self.stdout.write(stop_commands)
    self.stdout.flush()
  end
end

local function print_summary(self, summary)
  if self.format == "jsonl" then self.stdout.flush() end
  if self.noise and self.format == "pretty" then
    for _, line in ipairs(pretty.problems(self.store, summary)) do run_report.log(line) end
    return
  end
  if self.format ~= "pretty" then
    for _, line in ipairs(pretty.problems(self.store, summary)) do run_report.log(line) end
    return
  end
  if #self.summaries > 1 then self.stdout.write("\n") end
  pretty.summary(self.view, self.store, summary)
  self.stdout.flush()
end

-- Shows something. Where that cannot be written (a full disk) the run goes on and is stored; finish tells the failure.
local function show(self, action)
  if self.output_failure ~= nil then return end
  local ok, problem = pcall(action)
  if not ok then self.output_failure = problem end
end

---Runs one experiment and shows it.
---@param title string
---@param start fun(on_event: fun(event: table)): table the summary
---@return table|nil summary nil where it failed: `self.failure` says of what
function Report:run(title, start)
  local bar = progress.reporter(title)
  -- What Ctrl-C ends here is this experiment; the reports of those before it are still written.
  local interrupted, ok, summary = engine.guard(start, function(event)
    show(self, function()
      for _, listener in ipairs(self.listeners) do listener:event(event) end
      if self.format == "jsonl" then self.stdout.flush() end
    end)
    bar:event(event)
  end)
  bar:clear()
  self.interrupted = interrupted
  if not ok then
    self.failure = interrupted and fail.interruption(interrupted) or summary
    return nil
  end
  self.summaries[#self.summaries + 1] = summary
  show(self, function()
    for _, listener in ipairs(self.listeners) do listener:done(summary) end
    print_summary(self, summary)
  end)
  return summary
end

local COMPARED_ITEMS_MAX = 20000 -- of larger variants only the means are shown, instead of reading all again

-- Variants that ended, each compared with the first item by item; false where there is nothing to compare.
local function put_compared(self, summaries)
  local records, first = {}, summaries[1]
  for position, summary in ipairs(summaries) do
    if summary.status ~= "completed" or (summary.total_items or 0) > COMPARED_ITEMS_MAX or not next(summary.scorers)
      or summary.dataset.name ~= first.dataset.name then
      return false
    end
    records[position] = self.store:experiment(summary.experiment_id)
    if not records[position] then return false end
  end
  local ok, results = pcall(require("evalua.compare").runs, self.store, records, { limit = 0 })
  if ok then require("evalua.report.comparison").put_table(self.view, results) end
  return ok
end

-- Variants of one experiment stand together at the end.
local function print_variants(self)
  local groups, order = {}, {}
  for _, summary in ipairs(self.summaries) do
    local group = groups[summary.name]
    if not group then
      group = {}
      groups[summary.name] = group
      order[#order + 1] = summary.name
    end
    group[#group + 1] = summary
  end
  for _, name in ipairs(order) do
    if #groups[name] > 1 then
      self.stdout.write("\n")
      pretty.line(self.view, self.view.paint("bold", name), ", each against the first")
      if not put_compared(self, groups[name]) then pretty.variants(self.view, groups[name]) end
    end
  end
end

local function print_noise(self)
  for position, found in ipairs(self.noise) do
    if position > 1 then self.stdout.write("\n") end
    require("evalua.report.noise").put(self.view, found)
  end
end

local function close_files(self, document, overall)
  for position, file in ipairs(self.files) do
    local format = self.file_formats[position]
    if self.failure ~= nil and format ~= "jsonl" then
      file.abandon()
    else
      if format == "json" then
        report.run(file.write, self.store, self.summaries, overall, { noise = self.noise })
      end
      if formats.has(format) then formats.runs(format, file.write, document) end
      file.close()
    end
  end
end

---Writes the rest: variants, documents, files, annotations. Closes the store, and raises what a run failed of.
---@return integer exit_code
function Report:finish()
  local stdout, store, summaries, failure = self.stdout, self.store, self.summaries, self.failure
  local overall = verdict.of(summaries)
  if self.output_failure ~= nil then
    for _, file in ipairs(self.files) do pcall(file.abandon) end
    if store.close then store:close() end
    error(failure ~= nil and failure or self.output_failure, 0)
  end
  if self.format == "pretty" and self.noise then print_noise(self) end
  if self.format == "pretty" and not self.noise then print_variants(self) end
  if self.format == "json" and failure == nil then
    report.run(stdout.write, store, summaries, overall, { noise = self.noise })
  end
  if self.go_commands then stdout.write(self.go_commands) end
  local document = formats.document(store, summaries, overall)
  if formats.has(self.format) and failure == nil then formats.runs(self.format, stdout.write, document) end
  stdout.flush()
  close_files(self, document, overall)
  if #summaries > 0 then github.automatic(document, self.format == "github") end
  if store.close then store:close() end
  if failure ~= nil then error(failure, 0) end
  return self.interrupted and fail.codes.interrupted or verdict.exit_code(summaries)
end

---True where a document is wanted, on stdout or in files, and not only what people read.
---@return boolean
function Report:is_document() return self.format ~= "pretty" or #self.paths > 0 end

---Reports a run that is in the store already, as if it had ended now. Closes the store.
---@param store table
---@param summary table
function Report:stored(store, summary)
  self:open(store)
  self.summaries[1] = summary
  show(self, function() for _, listener in ipairs(self.listeners) do listener:done(summary) end end)
  self:finish()
end

---True where the user has stopped the last run: no other is started.
---@return boolean
function Report:is_interrupted()
  local last = self.summaries[#self.summaries]
  return self.interrupted ~= nil or last ~= nil and last.exit_code == fail.codes.interrupted
end

return run_report
