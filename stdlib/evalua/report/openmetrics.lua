-- OpenMetrics text, for GitLab's metrics reports and for Prometheus: a few gauges per experiment, in a fixed order.

local parts = require "evalua.report.parts"
local text = require "evalua.report.text"

local openmetrics = {}

local DIGITS = "%.6g" -- fixed, so that noise far behind the point is no difference

local function label(value) return (text.clean(tostring(value)):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"',
  ["\n"] = "\\n" })) end

local function labels_of(summary, more)
  local out = { ('experiment="%s"'):format(label(summary.name)) }
  local variant = parts.present(summary.variant)
  if variant and variant ~= "" then out[#out + 1] = ('variant="%s"'):format(label(variant)) end
  for _, pair in ipairs(more or {}) do out[#out + 1] = ('%s="%s"'):format(pair[1], label(pair[2])) end
  return "{" .. table.concat(out, ",") .. "}"
end

local function put(family, labels, value)
  value = parts.present(value)
  if value then family[#family + 1] = ("%s%s %s"):format(family.name, labels, (DIGITS):format(value)) end
end

-- Each: name, help, and how the values of one summary are added.
local families = {
  { "evalua_items", "Items by how they ended.", function(family, summary)
    for _, pair in ipairs { { "ok", summary.succeeded_count }, { "failed", summary.failed_count },
      { "skipped", summary.skipped_count } } do
      put(family, labels_of(summary, { { "status", pair[1] } }), pair[2])
    end
  end },
  { "evalua_items_passed", "Items that passed.", function(family, summary)
    put(family, labels_of(summary), summary.passed_count)
  end },
  { "evalua_latency_ms", "Latency of the target in milliseconds.", function(family, summary)
    local latency = parts.present(summary.latency_ms) or {}
    for _, point in ipairs { "p50", "p95", "p99" } do
      put(family, labels_of(summary, { { "percentile", point } }), latency[point])
    end
  end },
  { "evalua_cost", "Cost of the run.", function(family, summary)
    put(family, labels_of(summary), (parts.present(summary.usage) or {}).cost)
  end },
}

local function scorer_family(name, help, field)
  families[#families + 1] = { name, help, function(family, summary)
    for _, key in ipairs(parts.sorted_keys(summary.scorers)) do
      put(family, labels_of(summary, { { "scorer", key } }), field(summary.scorers[key]))
    end
  end }
end

scorer_family("evalua_score_mean", "Mean score.", function(scorer) return scorer.mean end)
scorer_family("evalua_score_low", "Lower end of the 95% interval of the mean.",
  function(scorer) return (parts.interval(scorer.ci)) end)
scorer_family("evalua_score_high", "Upper end of the 95% interval of the mean.",
  function(scorer) return (select(2, parts.interval(scorer.ci))) end)
scorer_family("evalua_score_count", "Items with a score.", function(scorer) return scorer.n end)
scorer_family("evalua_pass_rate", "Share of the items that passed.", function(scorer) return scorer.pass_rate end)
families[#families + 1] = { "evalua_rule_ok", "1 where the rule holds, 0 where it does not or cannot be told.",
  function(family, summary)
    for _, rule in ipairs(parts.present(summary.rules) or {}) do
      put(family, labels_of(summary, { { "rule", rule.name } }), rule.status == "pass" and 1 or 0)
    end
  end }

---Writes the report.
---@param write fun(text: string)
---@param document evalua.report.document
function openmetrics.runs(write, document)
  for _, description in ipairs(families) do
    local family = { name = description[1] }
    for _, summary in ipairs(document.summaries) do description[3](family, summary) end
    if #family > 0 then
      write(("# TYPE %s gauge\n# HELP %s %s\n"):format(family.name, family.name, description[2]))
      local seen = {}
      for _, sample in ipairs(family) do
        local key = sample:match("^(.*) ")
        if not seen[key] then write(sample .. "\n") end -- a series may stand only once
        seen[key] = true
      end
    end
  end
  write("# EOF\n")
end

return openmetrics
