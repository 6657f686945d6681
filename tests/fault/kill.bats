#!/usr/bin/env bats
# kill -9 of the coordinator, of a worker, and of both, at more than 50 moments: what was reported is stored, nothing is doubled,
# nothing stays behind, and resume completes. KILL_SEED=N repeats the choices; KILL_FACTOR=N makes N times the rounds.
load ../cli/helper
load kill

begin() {
  seed=${KILL_SEED:-$((SRANDOM % 1000000))}
  RANDOM=$seed
  write_kill_suite
}

@test "kill -9 before the first commit, then resume: every item once" {
  begin
  for number in 1 2 3 4; do round "$number" load coordinator $((RANDOM % 100)); done
  until_hits 6 before before coordinator 60
  until_hits 4 before before both 60
}

@test "kill -9 of the coordinator between commits, then resume: every item once" {
  begin
  until_hits 10 mid middle coordinator 30
}

@test "kill -9 of a worker: the run goes on; what it ran has failed with the signal, and resume runs it again" {
  begin
  until_hits 10 worker middle worker 30
}

@test "kill -9 of a worker and the coordinator at once, then resume: every item once" {
  begin
  until_hits 10 mid middle both 30
}

@test "kill -9 of the coordinator, or of both, during a resume, then resume again: every item once" {
  begin
  until_hits 6 resume resume coordinator 20
  until_hits 4 resume resume both 20
}
