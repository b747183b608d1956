#!/usr/bin/env bash
# Fails when a server makes more system calls per echo than it should. An operation that blocked in
# read(2) or write(2) instead of going through the ring would echo just as well, and show here.
#
#   check_syscalls.sh LIMIT CONNECTIONS 'COMMAND --port PORT'
set -euo pipefail

if ! command -v strace >/dev/null; then
    echo "skipped: system calls per echo (no strace)"
    exit 0
fi
limit=$1 connections=$2 command=$3
output=$("$(dirname "$0")/syscalls.sh" --connections "$connections" "$command")
count=$(awk '/all system calls/ { print $4 }' <<<"$output")
if [[ -z $count ]]; then
    echo "skipped: system calls per echo could not be counted: $(tail -1 <<<"$output")"
    exit 0
fi
if awk -v count="$count" -v limit="$limit" 'BEGIN { exit !(count > limit) }'; then
    echo "FAILED: $count system calls per echo at $connections connections, more than $limit: $command"
    exit 1
fi
echo "passed: $count system calls per echo at $connections connections (at most $limit): $command"
