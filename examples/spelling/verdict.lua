-- Says in one sentence which speller corrects more, from two stored runs: evalua exec verdict.lua RUN RUN

local eval = require "evalua"

local comparison = eval.experiments.compare(...)
local first = comparison.scorers.first
local baseline, candidate = comparison.baseline.target.id, comparison.candidate.target.id

local function percent(share) return ("%.1f %%"):format(100 * share) end

local numbers = ("difference %.1f points, 95 %% interval %.1f to %.1f, p %s"):format(100 * first.delta,
  100 * first.ci[1], 100 * first.ci[2], first.p_value < 1e-4 and "< 0.0001" or ("= %.4f"):format(first.p_value))

if first.verdict == "improved" or first.verdict == "regressed" then
  local winner, loser, more, fewer = candidate, baseline, first.candidate_mean, first.baseline_mean
  if first.verdict == "regressed" then winner, loser, more, fewer = loser, winner, fewer, more end
  print(("%s corrects more: its first suggestion is right for %s of %d misspellings, %s's for %s (%s)."):format(winner,
    percent(more), first.n, loser, percent(fewer), numbers))
else
  print(("%s and %s cannot be told apart on %d misspellings: %s and %s right at the first suggestion (%s)."):format(
    baseline, candidate, first.n, percent(first.baseline_mean), percent(first.candidate_mean), numbers))
end
