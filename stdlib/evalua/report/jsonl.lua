-- Events of a run, one JSON object per line: started, item (in item order, after its commit), progress, done.

local json = require "evalua.json"
local report = require "evalua.report.json"
local sys = require "evalua.native.sys"

local jsonl = {}

local PROGRESS_EVERY_MS = 1000

---A writer of events of one experiment.
---@param write fun(text: string)
---@param store table
---@return {event: fun(self: table, event: table), done: fun(self: table, summary: table)}
function jsonl.writer(write, store)
  local writer, last_ms, untold = { experiment_id = nil }, nil, nil

  -- The engine tells ten times a second.
  local function is_due(event)
    local now = sys.monotonic_ms()
    if last_ms and now - last_ms < PROGRESS_EVERY_MS and event.done < event.total then return false end
    last_ms = now
    return true
  end

  local function tell_progress()
    if untold then write(report.harmless(json.encode(untold)) .. "\n") end
    untold = nil
  end

  function writer.event(_, event)
    if event.type == "started" then
      writer.experiment_id = event.experiment_id
      write(report.harmless(json.encode(report.mark_lists(event))) .. "\n")
    elseif event.type == "results" then
      report.each_result(store, event.experiment_id or writer.experiment_id,
        { after = event.from_position - 1, upto = event.to_position },
        function(row) write('{"type":"item",' .. report.result(row):sub(2) .. "\n") end)
    elseif event.type == "progress" then
      untold = event
      if is_due(event) then tell_progress() end
    end
  end

  function writer.done(_, summary)
    tell_progress() -- how a run that ended early stood at its end
    write('{"type":"done","summary":' .. report.head(summary) .. "}\n")
  end

  return writer
end

return jsonl
