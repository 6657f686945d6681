-- Events of a run, one JSON object per line: started, item (in item order, after its commit), progress, done.

local json = require "evalua.json"
local report = require "evalua.report.json"

local jsonl = {}

---A writer of events of one experiment.
---@param write fun(text: string)
---@param store table
---@return {event: fun(self: table, event: table), done: fun(self: table, summary: table)}
function jsonl.writer(write, store)
  local writer = { experiment_id = nil }

  function writer.event(_, event)
    if event.type == "started" then
      writer.experiment_id = event.experiment_id
      write(report.harmless(json.encode(report.mark_lists(event))) .. "\n")
    elseif event.type == "results" then
      report.each_result(store, event.experiment_id or writer.experiment_id,
        { after = event.from_position - 1, upto = event.to_position },
        function(row) write('{"type":"item",' .. report.result(row):sub(2) .. "\n") end)
    elseif event.type == "progress" then
      write(report.harmless(json.encode(event)) .. "\n")
    end
  end

  function writer.done(_, summary)
    write('{"type":"done","summary":' .. report.head(summary) .. "}\n")
  end

  return writer
end

return jsonl
