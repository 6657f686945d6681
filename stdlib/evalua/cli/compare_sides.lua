-- What `evalua compare` compares: the runs that its arguments name, the items of --where, and its exit code.

local fail = require "evalua.cli.fail"
local records = require "evalua.cli.records"
local ref = require "evalua.cli.ref"
local where = require "evalua.cli.where"

local compare_sides = {}

-- The newest run of each variant of an experiment, in the order in which the variants ran first: one that ran again
-- stays where it is.
local function variants_of(store, name)
  if not store then return {} end
  local list, first = ref.newest_of_variants(store, name)
  table.sort(list, function(a, b) return first[a.variant or ""] < first[b.variant or ""] end)
  return list
end

---The runs to compare, the baseline first. Raises (exit 2) where one is not there.
---@param store table|nil an open store
---@param parsed table options of compare
---@return table[] records
function compare_sides.resolve(store, parsed)
  if #parsed == 1 and not parsed.set then
    local variants = variants_of(store, parsed[1])
    if #variants > 1 then return variants end
    fail.usage("compare: too few arguments; usage: evalua compare REF REF... (one REF alone is an experiment with "
      .. "several variants, or a run with --set)")
  end
  local wanted, sides, variant = { table.unpack(parsed) }, {}, nil
  local is_own = #wanted == 1
  if is_own then wanted[2] = wanted[1] end -- a run's own scores against those of a set
  for position = #wanted, 1, -1 do
    local set = not (is_own and position == 1) and parsed.set or nil
    sides[position] = ref.resolve(store, wanted[position], { files = true, variant = variant, sets = true, set = set })
    variant = variant or sides[position].variant
  end
  return sides
end

---The option `cluster` of a comparison: nil for what the experiment says, false for none.
---@param given string|nil
---@return string|false|nil
function compare_sides.cluster(given)
  if given == "none" then return false end
  return given
end

---A function that says whether --where holds for an item; of several trials, for one of them.
---@param store table
---@param record table the run whose results the expression sees
---@param filter table of evalua.cli.where
---@return fun(item_id: string): boolean
function compare_sides.within(store, record, filter)
  if record.baseline_file then fail.usage("--where: baseline files keep no fields of items; name a run") end
  local known, wanted = {}, {}
  for _, definition in ipairs(require("evalua.summary").scorers_of(store, record, true)) do
    known[definition.key] = true
  end
  require("evalua.report.json").each_result(store, record.id, {}, function(row)
    if not wanted[row.item_id] and filter.matches(records.result_scope(row, where, known), row.item_id) then
      wanted[row.item_id] = true
    end
  end)
  if next(wanted) == nil then
    fail.usage("--where %s: matches no item of run %s", filter.text, tostring(record.number))
  end
  return function(item_id) return wanted[item_id] == true end
end

local UNDECIDED = { inconclusive = true, incomparable = true }

---The exit code of --fail-on. Raises (exit 4) where there is nothing to judge by: a comparison in which no scorer has a
---pair is never a pass. With "inconclusive" that is asked about, and is exit 5.
---@param results table[] comparisons
---@param fail_on "regressed"|"inconclusive"
---@return integer
function compare_sides.exit_code(results, fail_on)
  local worst, is_unjudged = fail.codes.ok, false
  for _, result in ipairs(results) do
    local count = 0
    for _, map in ipairs { result.scorers, result.metrics or {} } do
      for _, entry in pairs(map) do
        if entry.verdict ~= "incomparable" then count = count + 1 end
        if entry.verdict == "regressed" then
          worst = fail.codes.rule
        elseif fail_on == "inconclusive" and worst == fail.codes.ok and UNDECIDED[entry.verdict]
          and entry.kind ~= "function" then
          worst = fail.codes.inconclusive
        end
      end
    end
    is_unjudged = is_unjudged or count == 0
  end
  if is_unjudged and worst ~= fail.codes.inconclusive then
    fail.incomplete("--fail-on: the runs have no scorer in common that could judge them")
  end
  return worst
end

return compare_sides
