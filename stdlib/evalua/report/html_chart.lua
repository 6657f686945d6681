-- The charts of the HTML report as SVG, without a script: histograms, labels, differences with their intervals, trends.

local html = require "evalua.report.html_parts"
local text = require "evalua.report.text"

local chart = {}

local escape = html.escape

local HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 260, 66
local LABELS_SHOWN = 8
local TREND_WIDTH, TREND_HEIGHT = 640, 190
local TREND_LEFT, TREND_RIGHT, TREND_TOP, TREND_BOTTOM = 44, 12, 12, 30

local function show_number(value) return text.number(value + 0.0) end

local function figure(caption, class, body)
  return ('<figure class="%s"><figcaption>%s</figcaption>%s</figure>\n'):format(class, escape(caption), body)
end

-- Marks at values, such as percentiles: a line with its name above it. Names that would overlap stand apart.
local function marks_of(marks, place, height)
  local out, last = {}, -math.huge
  for _, mark in ipairs(marks or {}) do
    local x = place(mark.value)
    local right = x > HISTOGRAM_WIDTH - 40
    out[#out + 1] = ('<line class="mark" x1="%.1f" y1="10" x2="%.1f" y2="%.1f"/>'):format(x, x, height)
    if x - last > 26 then
      out[#out + 1] = ('<text class="mark" x="%.1f" y="9" text-anchor="%s">%s</text>'):format(x,
        right and "end" or "start", escape(mark.name))
      last = x
    end
  end
  return table.concat(out)
end

---A histogram.
---@param caption string
---@param histogram { low: number, high: number, counts: integer[], show: (fun(value: number): string)?,
---  place: (fun(value: number): number)?, marks: { value: number, name: string }[]? } `place`: where a value is, 0 to 1
---@param what string what is counted, such as "items"
---@return string svg
function chart.histogram(caption, histogram, what)
  local counts, most, out = histogram.counts, 1, {}
  for _, count in ipairs(counts) do most = math.max(most, count) end
  local top = histogram.marks and 14 or 4
  local base = top + HISTOGRAM_HEIGHT
  local width = HISTOGRAM_WIDTH / #counts
  for position, count in ipairs(counts) do
    local height = count == 0 and 0 or math.max(1.5, count / most * HISTOGRAM_HEIGHT)
    out[#out + 1] = ('<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f"><title>%d %s</title></rect>'):format(
      (position - 1) * width + 0.5, base - height, math.max(0.5, width - 1), height, count, what)
  end
  local show = histogram.show or show_number
  local function place(value) return math.max(0, math.min(1, histogram.place(value))) * HISTOGRAM_WIDTH end
  return figure(caption, "histogram", ('<svg viewBox="0 0 %d %d" role="img" aria-label="distribution of %s">%s%s' ..
    '<line x1="0" y1="%.1f" x2="%d" y2="%.1f"/><text x="0" y="%d">%s</text>' ..
    '<text x="%d" y="%d" text-anchor="end">%s</text></svg>'):format(HISTOGRAM_WIDTH, base + 18, escape(caption),
    table.concat(out), histogram.marks and marks_of(histogram.marks, place, base) or "", base + 0.5, HISTOGRAM_WIDTH,
    base + 0.5, base + 14, escape(show(histogram.low)), HISTOGRAM_WIDTH, base + 14, escape(show(histogram.high))))
end

---Labels of a categorical scorer as bars, the most frequent first.
---@param caption string
---@param labels table<string, integer>
---@return string? svg nil where there is none
function chart.labels(caption, labels)
  local list, most, rest = {}, 1, 0
  for label, count in pairs(labels) do
    list[#list + 1] = { tostring(label), count }
    most = math.max(most, count)
  end
  if #list == 0 then return nil end
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  for position = LABELS_SHOWN + 1, #list do rest = rest + list[position][2] end
  local out, y = {}, 0
  for position = 1, math.min(#list, LABELS_SHOWN) do
    local label, count = list[position][1], list[position][2]
    out[#out + 1] = ('<text x="0" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%d</text>' ..
      '<rect x="0" y="%d" width="%.2f" height="5"/>'):format(y + 11, escape(text.cut(text.clean(label):gsub("\n", " ")
      .. "", 34)), HISTOGRAM_WIDTH, y + 11, count, y + 15, math.max(1.5, count / most * HISTOGRAM_WIDTH))
    y = y + 25
  end
  if rest > 0 then
    out[#out + 1] = ('<text x="0" y="%d">%d more labels: %d</text>'):format(y + 11, #list - LABELS_SHOWN, rest)
    y = y + 18
  end
  return figure(caption, "histogram", ('<svg viewBox="0 0 %d %d" role="img" aria-label="labels of %s">%s</svg>'):format(
    HISTOGRAM_WIDTH, y, escape(caption), table.concat(out)))
end

---A difference with its interval on a line, as a cell of a table; all cells of one scale stand under each other.
---@param delta number
---@param low number
---@param high number
---@param span number the end of the scale on either side
---@param tone string
---@return string svg
function chart.difference(delta, low, high, span, tone)
  local function x(value) return 60 + math.max(-1, math.min(1, value / span)) * 54 end
  return ('<svg class="difference %s" viewBox="0 0 120 16" role="img" aria-label="%s"><line x1="60" y1="0" x2="60" ' ..
    'y2="16"/><line class="interval" x1="%.1f" y1="8" x2="%.1f" y2="8"/><circle cx="%.1f" cy="8" r="3.5"/></svg>')
    :format(tone, escape(("%+.3g, from %+.3g to %+.3g"):format(delta, low, high)), x(low), x(high), x(delta))
end

local LEAST_SPAN = 1e-290 -- of less no step can be counted

-- Round numbers for the ends of the vertical axis around what is drawn.
local function scale_of(points)
  local low, high = math.huge, -math.huge
  for _, point in ipairs(points) do
    if point.value then
      low = math.min(low, point.low or point.value, point.value)
      high = math.max(high, point.high or point.value, point.value)
    end
  end
  if low > high then return nil end
  local span = high - low
  if span == 0 then span = math.abs(high) * 0.1 end
  if span < LEAST_SPAN then span = 1 end
  if span == math.huge then return nil end
  local step = 10 ^ math.floor(math.log(span / 2, 10))
  for _, factor in ipairs { 1, 2, 5, 10 } do
    if span / (step * factor) <= 4 then
      step = step * factor
      break
    end
  end
  return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step
end

local function grid_of(low, high, step, y_of, show)
  local out, value, last = {}, low, nil
  while value <= high + step * 1e-6 do
    local y, name = y_of(value), show(value)
    out[#out + 1] = ('<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>'):format(TREND_LEFT, y,
      TREND_WIDTH - TREND_RIGHT, y)
    if name ~= last then -- what rounds to the same is written once
      out[#out + 1] = ('<text x="%d" y="%.1f" text-anchor="end">%s</text>'):format(TREND_LEFT - 6, y + 3.5,
        escape(name))
    end
    last = name
    value = value + step
  end
  return table.concat(out)
end

-- The mean of each run with its interval, joined by a line; a run without one leaves a gap.
local function marks_of_trend(points, x_of, y_of)
  local out, path, joined = {}, {}, false
  for position, point in ipairs(points) do
    local x = x_of(position)
    if point.value then
      local y = y_of(point.value)
      path[#path + 1] = ("%s%.1f %.1f"):format(joined and "L" or "M", x, y)
      local whisker = point.low and point.high
        and ('<line class="interval" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>'):format(x, y_of(point.low), x,
          y_of(point.high)) or ""
      out[#out + 1] = ('<g class="%s">%s<circle cx="%.1f" cy="%.1f" r="%s"/><title>%s</title></g>'):format(
        point.tone or "", whisker, x, y, point.hollow and "3" or "4", escape(point.title))
    end
    joined = point.value ~= nil
  end
  return ('<path d="%s"/>%s'):format(table.concat(path), table.concat(out))
end

---Values from run to run with their intervals.
---@param caption string
---@param points { value: number?, low: number?, high: number?, name: string, title: string, tone: string? }[]
---@param show (fun(value: number): string)? how values of the axis are written
---@return string? svg nil where no point has a value
function chart.trend(caption, points, show)
  local low, high, step = scale_of(points)
  if not low then return nil end
  if high <= low then high = low + step end
  local inner = TREND_WIDTH - TREND_LEFT - TREND_RIGHT - 24
  local function x_of(position)
    return TREND_LEFT + 12 + (#points == 1 and inner / 2 or (position - 1) / (#points - 1) * inner)
  end
  local base = TREND_HEIGHT - TREND_BOTTOM
  local function y_of(value) return base - (value - low) / (high - low) * (base - TREND_TOP) end
  local out, every = {}, math.max(1, math.ceil(#points / 12))
  for position, point in ipairs(points) do
    if (#points - position) % every == 0 then
      out[#out + 1] = ('<text x="%.1f" y="%d" text-anchor="middle">%s</text>'):format(x_of(position), base + 18,
        escape(point.name))
    end
  end
  local function value_text(value)
    if show then return show(value) end
    local digits = math.max(0, -math.floor(math.log(step, 10) + 1e-9))
    if digits > 6 or math.abs(value) >= 1e12 then return text.number(value + 0.0) end
    return (("%%.%df"):format(digits):format(value))
  end
  return figure(caption, "trend", ('<svg viewBox="0 0 %d %d" role="img" aria-label="%s from run to run">%s%s%s</svg>')
    :format(TREND_WIDTH, TREND_HEIGHT, escape(caption), grid_of(low, high, step, y_of, value_text), table.concat(out),
      marks_of_trend(points, x_of, y_of)))
end

return chart
