-- One item in its worker: decodes it, runs the target, then the scorers at the same time, and emits the result.

local cache = require "evalua.cache"
local definition = require "evalua.scorer.definition"
local engine = require "evalua.native.engine"
local expect = require "evalua.expect"
local failure = require "evalua.failure"
local item_module = require "evalua.item"
local item_usage = require "evalua.usage"
local json = require "evalua.json"
local limits = require "evalua.limits"
local place = require "evalua.place"
local scorer_module = require "evalua.scorer"
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"
local task = require "evalua.native.task"

local item_run = {}

local MESSAGE_BYTES_MAX = 64 * 1024 -- of an error message

local NO_MEMORY = "not enough memory" -- what Lua raises

local decode, encode, null = json.decode, json.encode, json.null
local REPAIR = { repair = true, name = "output" }
local INFO_FIELDS = { "context", "usage", "trajectory", "messages", "metadata", "steps" }
local NO_LIST = {}

local item_fields = { table.unpack(item_module.fields) }
for _, name in ipairs { "trial", "setup", "worker" } do item_fields[#item_fields + 1] = name end
local item_methods = strict.metatable(item_fields, "item")

local function decoded(text)
  if not text then return nil end
  local value, message = decode(text)
  if value == nil then error("a stored field of the item cannot be read: " .. tostring(message), 0) end
  if value == null then return nil end
  return value
end

-- The strict record of the item, as targets see it.
local function item_record(id, trial, input, ground_truth, context, expected_trajectory, steps, output, metadata, tags,
    scorers, expect_text, tool_mocks, source)
  return setmetatable({
    id = id, trial = trial, input = decoded(input), ground_truth = decoded(ground_truth), context = decoded(context),
    expected_trajectory = decoded(expected_trajectory), steps = decoded(steps), output = decoded(output),
    metadata = decoded(metadata), tags = decoded(tags), scorers = decoded(scorers), expect = decoded(expect_text),
    tool_mocks = decoded(tool_mocks), source = decoded(source),
  }, item_methods)
end

local function redacted(text)
  if text and secrets.count() > 0 then return secrets.redact(text) end
  return text
end

-- Scripts catch failures and may change them before they raise them again.
local function text_of(value, otherwise)
  if type(value) == "string" or type(value) == "number" then return tostring(value) end
  return otherwise
end

local FAILURE_STATUS = { timeout = "timeout", limited = "limited" }
local FAILURE_FIELDS = { "permanent", "stops_run", "retry_after_ms", "deferred_ms" }

-- The text of a table that was raised: its message, or by its __tostring, which is the target's code and has the
-- target's time.
local function describe_table(found, problem, timeout_ms)
  local message = rawget(problem, "message")
  if type(message) == "string" then
    found.message, found.code = message, text_of(rawget(problem, "code"), found.code)
    return
  end
  local methods = getmetatable(problem)
  local printable = type(methods) == "table" and rawget(methods, "__tostring")
  local status, text
  if printable then status, text = task.attempt(timeout_ms, tostring, problem)
  else status, text = pcall(encode, problem) end
  if status == "timeout" then
    found.status, found.code = "timeout", "timeout"
    found.message = ("the target took longer than item_timeout, %g ms, in __tostring of the error that it raised")
      :format(timeout_ms)
  else
    found.message = (status == "ok" or status == true) and text or "the target raised a table"
  end
end

-- The text of what was raised, its code, and what else it says.
local function describe(problem, trace, timeout_ms)
  local found = { code = "target_error", stack = trace ~= "" and trace or nil }
  if failure.is(problem) then
    local where = text_of(rawget(problem, "place"))
    found.message = text_of(rawget(problem, "message"), "the target raised a failure without a message")
    found.code = text_of(rawget(problem, "code"), found.code)
    found.status = FAILURE_STATUS[rawget(problem, "status")]
    for _, name in ipairs(FAILURE_FIELDS) do found[name] = rawget(problem, name) end
    if where then found.message = ("%s: %s"):format(where, found.message) end
  elseif type(problem) == "table" then
    describe_table(found, problem, timeout_ms)
  elseif problem == nil then
    found.message = "error was raised without a message (nil); write error(\"what is wrong\")"
  else
    found.message = tostring(problem)
  end
  found.message = json.repair(redacted(tostring(found.message)):sub(1, MESSAGE_BYTES_MAX))
  if found.message == NO_MEMORY then
    found.status, found.code, found.message = "limited", "memory_per_worker", limits.memory_message()
  end
  return found
end

local function error_text(found)
  return redacted(encode({ message = found.message, code = found.code, stack = found.stack }, REPAIR))
end

-- What the target returned beside its output.
local function check_info(info)
  if type(info) ~= "table" then
    return ("the target's second result must be a table of %s, not a %s"):format(table.concat(INFO_FIELDS, ", "),
      type(info))
  end
  for name in next, info do
    if not strict.contains(INFO_FIELDS, name) then
      return ('unknown field "%s" in the target\'s second result%s'):format(tostring(name),
        strict.hint(tostring(name), INFO_FIELDS, "its fields"))
    end
  end
  local problem = item_usage.problem(rawget(info, "usage"))
  return problem and "the target's second result: " .. problem
end

local function extra_texts(info)
  local texts = {}
  if info == nil then return nil end
  for _, name in ipairs(INFO_FIELDS) do
    local value = rawget(info, name)
    if name ~= "messages" and value ~= nil and value ~= null then texts[name] = redacted((encode(value, REPAIR))) end
  end
  return texts
end

-- A field of what the target returned beside its output; no metamethod of the script's runs.
local function told(info, name) return info and rawget(info, name) end

-- What calls have reported of their use, where the target does not say it itself.
local function with_usage(texts)
  if texts and texts.usage then return texts end
  local spent = item_usage.spent()
  if not spent then return texts end
  texts = texts or {}
  texts.usage = encode(spent)
  return texts
end

-- Outcomes leave the worker with their tables as JSON.
local function pack_outcome(made)
  if type(made.error) == "table" and made.error.message == NO_MEMORY then
    made.met_memory = true
    made.error = { code = "memory_per_worker", message = limits.memory_message() }
  end
  if made.error ~= nil then made.error = redacted((encode(made.error, REPAIR))) end
  if made.metadata ~= nil then made.metadata = redacted((encode(made.metadata, REPAIR))) end
  if made.reason then made.reason = redacted((json.repair(made.reason))) end
  if made.label then made.label = redacted((json.repair(made.label))) end
  return made
end

-- Scorers as they run: those that are not called in place get a scope and a deadline each.
local function entries_of(scorers, default_timeout_ms)
  local entries = { all = scorers, waiting = {} }
  for position, scorer in ipairs(scorers) do
    if not definition.is_in_place(scorer) then
      local entry = { position = position, evaluate = scorer.evaluate, name = scorer.id,
        timeout_ms = scorer.timeout_ms or default_timeout_ms or 0 }
      entries.waiting[#entries.waiting + 1] = entry
    end
  end
  return entries
end

-- What the coordinator should know of a result beside what is stored.
local function notes_of(problem, outcomes)
  local met_memory = problem and problem.code == "memory_per_worker"
  for position = 1, #outcomes do met_memory = met_memory or outcomes[position].met_memory end
  local stop_reason = problem and problem.stops_run and problem.message
  if not met_memory and not stop_reason then return nil end
  return { met_memory = met_memory and "yes" or nil, stop_reason = stop_reason or nil }
end

local function ended_outcome(entry, ended)
  if ended.ok then return ended.value end
  local message = ended.timed_out and ("the scorer took longer than %g ms"):format(entry.timeout_ms)
    or tostring(ended.error)
  return { status = "error", passed = false,
    error = { message = message, code = ended.timed_out and "timeout" or "scorer_error", stack = ended.trace } }
end

local function copy_of(value, copies)
  if type(value) ~= "table" then return value end
  if copies[value] then return copies[value] end
  local copy, methods = {}, getmetatable(value)
  copies[value] = copy
  for key, inner in next, value do copy[key] = copy_of(inner, copies) end
  if type(methods) == "table" and rawget(methods, "__gc") == nil then setmetatable(copy, methods) end
  return copy
end

-- A run for one scorer alone: what it changes no other one sees.
local function own_run(run)
  local copies
  -- The constructor makes room for the usual fields at once.
  local own = { item_id = nil, trial = nil, input = nil, output = nil, ground_truth = nil, metadata = nil, tags = nil,
    latency_ms = nil }
  for name, value in next, run do
    if type(value) == "table" then
      copies = copies or {}
      value = copy_of(value, copies)
    end
    own[name] = value
  end
  return scorer_module.run_record(own)
end

-- The outcomes of all scorers, in the order of the list. `is_shared`: others look at the run later.
local function score(entries, run, is_shared)
  local outcomes, waiting = {}, entries.waiting
  is_shared = is_shared or #waiting > 1
  for position, scorer in ipairs(entries.all) do
    if definition.is_in_place(scorer) then outcomes[position] = scorer.evaluate(run) end
  end
  if #waiting > 0 then
    engine.stage "scorer"
    local ended = task.map(function(entry)
      task.tag(entry.position)
      return entry.evaluate(is_shared and own_run(run) or run)
    end, waiting)
    for index, entry in ipairs(waiting) do outcomes[entry.position] = ended_outcome(entry, ended[index]) end
  end
  for position = 1, #entries.all do pack_outcome(outcomes[position]) end
  return outcomes
end

-- Whether the item passed: nil where nothing says what passing means.
local function passed_of(outcomes)
  local passed
  for _, made in ipairs(outcomes) do
    if made.passed == false then return false end
    if made.passed then passed = true end
  end
  return passed
end

local Runner = {}
Runner.__index = Runner

local in_before_each = setmetatable({}, { __mode = "k" }) -- records of the items that are in that hook

-- The target, after before_each where there is one: a failure of the hook is one of the item.
local function target_of(experiment)
  local run, before_each = rawget(experiment.target, "run"), experiment.before_each
  local try = rawget(experiment.target, "try") -- one that leaves its retries to the engine
  if try then run = function(input, record) return try(input, record, engine.target_retries()) end end
  if not before_each then return run end
  return function(input, record)
    in_before_each[record] = true
    before_each(record)
    in_before_each[record] = nil
    return run(input, record)
  end
end

-- `suite.eval.lua:12: ` of the function that is the target, or of the target's declaration.
local function place_of_target(target)
  local info = debug.getinfo(rawget(target, "run"), "S")
  if info.what ~= "C" and not place.is_own(info.source) then
    return ("%s:%d: "):format(info.short_src, info.linedefined)
  end
  local file, line = rawget(target, "file"), rawget(target, "line")
  return file and line and ("%s:%d: "):format(file, line) or ""
end

---What runs the items of a resolved experiment in a worker; with `scores_stored`, what scores its stored results.
---@param experiment table
---@return function run_item called with the fields of a job
---@return function open_worker called once in each worker
function item_run.make(experiment)
  local runner = setmetatable({
    target = target_of(experiment), target_place = place_of_target(experiment.target),
    timeout_ms = experiment.item_timeout_ms or 0, output_bytes = experiment.limits.output_bytes,
    item_timeout_ms = experiment.item_timeout_ms,
    stated = experiment.scorers and entries_of(experiment.scorers, experiment.item_timeout_ms),
    of_dataset = entries_of(experiment.dataset_scorers or NO_LIST, experiment.item_timeout_ms),
    by_list = {}, context = experiment.context ~= nil and encode(experiment.context) or nil,
    experiment = experiment,
  }, Runner)
  if experiment.scores_stored then
    return function(...) return runner:score_stored(...) end, function() runner:open() end
  end
  local prepare = rawget(experiment.target, "prepare")
  if prepare then prepare() end
  return function(...) return runner:run(...) end, function() runner:open() end
end

---Makes a freshly forked worker ready: nothing in it touches the store, and print says whose line it is.
function Runner:open()
  collectgarbage("restart")
  require("evalua.printing").to_stderr()
  local context = require "evalua.store_context"
  local store = require("evalua.store_proxy").remote()
  local function remote() return store end
  context.open, context.current = remote, remote
  require("evalua.cache_keeper").forget()
  if self.experiment.worker_opened then self.experiment.worker_opened() end
  self.setup_value = self.experiment.setup_value
  local worker_setup = self.experiment.worker_setup
  if not worker_setup then return end
  local ok, value = pcall(worker_setup, self.setup_value)
  if not ok then
    local where = failure.is(value) and value.place
    error(("worker_setup failed: %s%s"):format(where and where .. ": " or "", tostring(value)), 0)
  end
  self.worker_value = value
end

-- The scorers of an item that names its own.
function Runner:own_entries(text)
  local found = self.by_list[text]
  if not found then
    local scorers = {}
    for position, id in ipairs(decode(text)) do
      local scorer = self.experiment.find_scorer(id)
      if not scorer then error(('the item names the scorer "%s", which there is not'):format(tostring(id)), 0) end
      scorers[position] = scorer
    end
    found = entries_of(scorers, self.item_timeout_ms)
    self.by_list[text] = found
  end
  return found
end

function Runner:entries_for(scorers_text)
  if self.stated then return self.stated end
  if scorers_text then return self:own_entries(scorers_text) end
  return self.of_dataset
end

-- Runs the target; returns status, output text, output value, info, error, latency.
function Runner:attempt(record)
  local begin = sys.monotonic_ms()
  local status, output, info = task.attempt(self.timeout_ms, self.target, record.input, record)
  local latency_ms = sys.monotonic_ms() - begin - task.excused_ms()
  if status == "timeout" then
    return "timeout", nil, nil, nil, latency_ms, { code = "timeout",
      message = ("%s took longer than item_timeout, %g ms"):format(
        in_before_each[record] and "before_each" or "the target", self.timeout_ms) }
  elseif status == "error" then
    local found = describe(output, info, self.timeout_ms)
    if found.code == "timeout" then latency_ms = sys.monotonic_ms() - begin - task.excused_ms() end
    return found.status or "error", nil, nil, nil, latency_ms, found
  end
  if output == null then output = nil end
  local ok, text, repaired = pcall(encode, output == nil and null or output, REPAIR)
  local problem, code
  if not ok then
    problem, code = ("%sthe target's output cannot be stored: %s"):format(self.target_place, tostring(text)),
      "bad_output"
  elseif #text > self.output_bytes then
    return "limited", nil, nil, nil, latency_ms, { code = "output_bytes",
      message = ("the output has %d bytes as JSON, the limit (output_bytes) is %d"):format(#text, self.output_bytes) }
  elseif info ~= nil then
    problem, code = check_info(info), "bad_info"
    problem = problem and self.target_place .. problem
  end
  local texts
  if not problem then
    ok, texts = pcall(extra_texts, info)
    if not ok then problem, code = "the target's second result cannot be stored: " .. tostring(texts), "bad_info" end
  end
  if problem then
    return "error", nil, nil, nil, latency_ms, { code = code, message = problem, permanent = true }
  end
  local settled, over = true, nil
  if info ~= nil or item_usage.spent() then settled, over = pcall(item_usage.settle, info) end
  if not settled then return "limited", nil, nil, nil, latency_ms, describe(over, nil, 0), nil, texts end
  return "ok", text, output, info, latency_ms, nil, repaired, texts
end

-- The context of an item: its own before that of the experiment; of two objects the fields of both, the item's first.
local function merged_context(own, shared)
  if not shared or not own then return own or shared end
  if own:sub(1, 1) ~= "{" or shared:sub(1, 1) ~= "{" then return own end
  local merged = decode(shared)
  for name, value in next, decode(own) do merged[name] = value end
  return encode(merged)
end

---Runs one job and emits its result.
function Runner:run(id, trial, _, _, input, ground_truth, context, expected_trajectory, steps, output, metadata, tags,
    scorers, expect_text, tool_mocks, source)
  context = merged_context(context, self.context)
  local record = item_record(id, trial, input, ground_truth, context, expected_trajectory, steps, output, metadata,
    tags, scorers, expect_text, tool_mocks, source)
  record.setup, record.worker = self.setup_value, self.worker_value
  -- The target may change what it is given: scorers get the item as it is stored.
  local stored_input, stored_truth = record.input, record.ground_truth
  local requests = cache.enter(trial)
  local status, text, value, info, latency_ms, problem, repaired, texts = self:attempt(record)
  if problem and (problem.retry_after_ms or problem.deferred_ms) then -- this is not the end of it
    cache.leave(requests)
    local said = error_text(problem)
    return engine.emit(status, false, nil, said, latency_ms, false, false, nil, NO_LIST, NO_LIST, problem)
  end
  local entries = self:entries_for(scorers)
  cache.enter_scoring(requests, entries.all)
  if cache.answered_all(requests) then latency_ms = nil end
  texts = with_usage(texts)
  if self.context and not (texts and texts.context) then -- scoring it again needs what its scorers saw
    texts = texts or {}
    texts.context = redacted(context)
  end
  if problem and not self:has_on_error(entries) then
    cache.leave(requests)
    return engine.emit(status, false, nil, error_text(problem), latency_ms, problem.permanent or false, false, texts,
      NO_LIST, NO_LIST, notes_of(problem, NO_LIST))
  end
  local run = scorer_module.run_record {
    item_id = id, trial = trial, output = value,
    input = type(stored_input) == "table" and decoded(input) or stored_input,
    ground_truth = type(stored_truth) == "table" and decoded(ground_truth) or stored_truth,
    context = told(info, "context") == nil and decoded(context) or told(info, "context"),
    metadata = decoded(metadata), tags = decoded(tags), error = problem, trajectory = told(info, "trajectory"),
    steps = told(info, "steps"), messages = told(info, "messages"), usage = told(info, "usage"),
    latency_ms = latency_ms, expected_trajectory = decoded(expected_trajectory),
  }
  local all, outcomes = self:scores_of(run, entries, expect_text)
  cache.leave(requests)
  if problem then
    return engine.emit(status, false, nil, error_text(problem), latency_ms, problem.permanent or false, false, texts,
      all, outcomes, notes_of(problem, outcomes))
  end
  engine.emit(status, passed_of(outcomes), redacted(text), nil, latency_ms, false, repaired or false,
    texts, all, outcomes, notes_of(nil, outcomes))
end

-- The scorers of what happened to an item, and their outcomes beside them.
function Runner:scores_of(run, entries, expect_text)
  local outcomes = score(entries, run, expect_text ~= nil or self.experiment.is_noise)
  local all = entries.all
  if self.experiment.is_noise then require("evalua.noise").again(score, entries, outcomes, run) end
  if run.error ~= nil then return self:only_on_error(entries, outcomes) end
  local is_expected = expect_text and not self.experiment.without_expect
  local made = is_expected and expect.evaluate(run, expect_text, self.experiment.scorer_registry,
    self.timeout_ms)
  if made then
    all = { table.unpack(all) }
    all[#all + 1] = { id = "expect", name = "expect" }
    outcomes[#all] = pack_outcome(made)
  end
  return all, outcomes
end

---Scores one stored result and emits its scores: the job of a score set.
function Runner:score_stored(id, trial, _, _, input, ground_truth, context, expected_trajectory, _, output, metadata,
    tags, scorers, expect_text, _, _, problem, usage, steps, trajectory, latency)
  local entries, all, outcomes = self:entries_for(scorers), NO_LIST, NO_LIST
  cache.enter_scoring(cache.enter(trial), entries.all)
  local run = scorer_module.run_record {
    item_id = id, trial = trial, input = decoded(input), output = decoded(output), ground_truth = decoded(ground_truth),
    context = decoded(context), metadata = decoded(metadata), tags = decoded(tags), error = decoded(problem),
    trajectory = decoded(trajectory), steps = decoded(steps), usage = decoded(usage), latency_ms = tonumber(latency),
    expected_trajectory = decoded(expected_trajectory),
  }
  if run.error == nil or self:has_on_error(entries) then all, outcomes = self:scores_of(run, entries, expect_text) end
  engine.emit("ok", passed_of(outcomes), nil, nil, nil, false, false, nil, all, outcomes)
end

---A target that failed is scored by those that say how.
function Runner:has_on_error(entries)
  if entries.on_error == nil then
    entries.on_error = false
    for _, scorer in ipairs(entries.all) do if scorer.on_error ~= nil then entries.on_error = true end end
  end
  return entries.on_error
end

function Runner:only_on_error(entries, outcomes)
  local all, kept = {}, {}
  for position, scorer in ipairs(entries.all) do
    if scorer.on_error ~= nil then
      all[#all + 1], kept[#kept + 1] = scorer, outcomes[position]
    end
  end
  return all, kept
end

return item_run
