#!/usr/bin/env bash
# Runs a fuzzer: run.sh PROGRAM SECONDS, with 0 the seeds only, and what was found earlier (found/NAME). One line when
# all is well, all of it when not.
set -uo pipefail
program=$1 seconds=$2
log=$program.log
# A trap in Swift code is libFuzzer's to report, which keeps the input.
export SWIFT_BACKTRACE=enable=no
found=$(dirname "$0")/found/$(basename "$program")
mkdir -p "$program-corpus"
"$(dirname "$0")/seeds.sh" "$program-seeds" 300
set -- "$program-seeds"
if [[ -d $found ]]; then set -- "$@" "$found"; fi
if [[ $seconds == 0 ]]; then
    set -- -runs=0 "$@"
else
    set -- -max_total_time="$seconds" "$program-corpus" "$@"
fi
"$program" -max_len=500 -len_control=0 -timeout=120 -artifact_prefix="$program-" "$@" >"$log" 2>&1
status=$?
if [[ $status != 0 ]]; then
    cat "$log"
    echo "FAILED   $(basename "$program") (status $status)"
    exit 1
fi
grep "^only" "$log"
echo "passed   $(basename "$program"): $(grep -oE '^Done [0-9]+ runs in [0-9]+ second' "$log")s"
