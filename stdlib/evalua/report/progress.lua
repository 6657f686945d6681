-- Progress of a run on stderr: one line that is rewritten on a terminal, a plain line every few seconds in a pipe.

local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local PLAIN_EVERY_MS = 10000
local MEANS_SHOWN = 3

local progress = {}

local function time_left(event)
  if not event.rate or event.rate <= 0 or not event.total then return nil end
  return text.duration((event.total - event.done) / event.rate * 1000)
end

local function means_of(event)
  local ids, parts = {}, {}
  for id in pairs(event.means or {}) do ids[#ids + 1] = id end
  table.sort(ids)
  for position = 1, math.min(#ids, MEANS_SHOWN) do
    parts[position] = ("%s %s"):format(ids[position], text.number(event.means[ids[position]]))
  end
  return parts
end

-- When nothing has ended for a while: the item that runs longest, and what it does.
local function slowest(item)
  local doing = text.clean(item.doing or "")
  return ("slowest %s for %s%s"):format(text.clean(item.item_id), text.duration(item.running_ms),
    doing ~= "" and ": " .. doing or "")
end

---The parts of a progress line.
---@param title string
---@param event table
---@return string
local function line(title, event)
  local parts = { ("%s: %d/%d"):format(title, event.done or 0, event.total or 0) }
  for _, name in ipairs { "failed", "in_flight", "waiting", "retrying" } do
    if (event[name] or 0) > 0 then parts[#parts + 1] = ("%d %s"):format(event[name], (name:gsub("_", " "))) end
  end
  if event.slowest then
    parts[#parts + 1] = slowest(event.slowest)
    return table.concat(parts, ", ")
  end
  for _, part in ipairs(means_of(event)) do parts[#parts + 1] = part end
  if event.rate and event.rate > 0 then
    parts[#parts + 1] = (event.rate >= 10 and ("%.0f"):format(event.rate) or text.number(event.rate + 0.0)) .. "/s"
    local left = time_left(event)
    if left and event.done < event.total then parts[#parts + 1] = left .. " left" end
  end
  return table.concat(parts, ", ")
end

---Shows the progress of one experiment.
---@param title string
---@return {event: fun(self: table, event: table), clear: fun(self: table)}
function progress.reporter(title)
  local terminal, shown, last = text.is_rewritable(2), false, sys.monotonic_ms()
  local reporter = {}

  local slow_id = nil
  local function is_news(item)
    local id = item and item.item_id
    if id == slow_id then return false end
    slow_id = id
    return id ~= nil
  end

  function reporter.clear()
    if shown then sys.stderr_write("\r\27[K") end
    shown = false
  end

  function reporter.event(_, event)
    if event.type ~= "progress" then return end
    if terminal then
      sys.stderr_write("\r\27[K" .. text.cut(line(title, event), (sys.width(2) or 80) - 1))
      shown = true
    elseif sys.monotonic_ms() - last >= PLAIN_EVERY_MS or is_news(event.slowest) then
      last = sys.monotonic_ms()
      sys.stderr_write(line(title, event) .. "\n")
    end
  end

  return reporter
end

progress.line = line

return progress
