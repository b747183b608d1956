#!/usr/bin/env bash
# `ringlet stress` in a process that leaks: it ends with a failure that says how to repeat the round and who was there.
#
#   run.sh RINGLET     the command
set -uo pipefail

ringlet=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

gcc -std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC "$(dirname "$0")/leak.c" -o "$work/leak.so" -ldl || exit 1

# leak WHAT KERNEL PATTERN...: each is in the output of a run that leaks it.
leak() {
    local what=$1 kernel=$2 status missing= pattern output=$work/output
    shift 2
    RINGLET_LEAK=$what RINGLET_KERNEL=$kernel LD_PRELOAD=$work/leak.so \
        timeout 120 "$ringlet" stress --seconds 60 --seed 40 --workers 2 >"$output" 2>&1
    status=$?
    [[ $status == 1 ]] || missing=" status $status"
    for pattern in "$@" "^round [0-9]+ \(--seed [0-9]+ --workers 2\) failed:$" "^at the end of the load:$" \
        "^ +fiber [0-9]+ 'accept-0' on worker 0: waits for accept on descriptor" "^what runs now:$"; do
        grep -Eq -- "$pattern" "$output" || missing+=" not there: $pattern"
    done
    if [[ -z $missing ]]; then
        passed=$((passed + 1)); echo "passed  a leak of $what, $kernel"
    else
        failed=$((failed + 1)); echo "FAILED  a leak of $what, $kernel:$missing"
        head -40 "$output" | sed 's/^/        /'
    fi
}

for kernel in auto emulated; do
    leak descriptors "$kernel" "^  [0-9]+ descriptors leaked by now$"
    leak mappings "$kernel" "^  address space grew from [0-9]+ to [0-9]+ mappings$"
done
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
