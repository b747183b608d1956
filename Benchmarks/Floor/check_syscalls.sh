#!/usr/bin/env bash
# Fails when a server makes more system calls per echo than it should. An operation that blocked in
# read(2) or write(2) instead of going through the ring would echo just as well, and show here.
#
# How many echoes a turn serves depends on when the load gets its share of the machine, and a neighbour
# can only make it fewer: of three counts the lowest is taken, and the first that is low enough ends it.
#
#   check_syscalls.sh LIMIT CONNECTIONS 'COMMAND --port PORT'
set -euo pipefail

if ! command -v strace >/dev/null; then
    echo "skipped: system calls per echo (no strace)"
    exit 0
fi
limit=$1 connections=$2 command=$3
lowest=
for attempt in 1 2 3; do
    output=$("$(dirname "$0")/syscalls.sh" --connections "$connections" "$command")
    count=$(awk '/all system calls/ { print $4 }' <<<"$output")
    if [[ -z $count ]]; then
        echo "skipped: system calls per echo could not be counted: $(tail -1 <<<"$output")"
        exit 0
    fi
    if awk -v count="$count" -v limit="$limit" 'BEGIN { exit !(count <= limit) }'; then
        echo "passed: $count system calls per echo at $connections connections (at most $limit): $command"
        exit 0
    fi
    echo "count $attempt: $count"
    lowest=$(awk -v a="$count" -v b="${lowest:-$count}" 'BEGIN { print a < b ? a : b }')
done
echo "$output"
echo "FAILED: $lowest system calls per echo at $connections connections, more than $limit: $command"
exit 1
