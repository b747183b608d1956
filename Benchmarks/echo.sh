#!/usr/bin/env bash
# TCP echo beside raw C, with the goals.
#
#   echo.sh [--rounds 5] [--seconds 0.8] [--connections 1,50,1000] [--sizes 64,1024,16384] [--quick]
#
# The servers: the floor on raw liburing, a second one on epoll, and Ringlet's echo with a fiber or
# a task per connection, on io_uring and on the emulated ring, on one worker. How each figure is taken is
# written in the scripts of Floor.
# --quick measures all numbers of connections with 64 B only, and 16 KiB with 50 connections.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
floor=$here/Floor

rounds=5
seconds=0.8
connections=1,50,1000
sizes=64,1024,16384
quick=

while (($#)); do
    case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --connections) connections=$2; shift 2 ;;
    --sizes) sizes=$2; shift 2 ;;
    --quick) quick=yes; shift ;;
    *) echo "echo.sh: unknown option $1" >&2; exit 1 ;;
    esac
done

ringlet=${RINGLET:-$root/.build/release/ringlet}
if [[ ! -x $ringlet ]]; then
    echo "echo.sh: $ringlet is missing; build it with: make -C $root" >&2
    exit 1
fi
make --no-print-directory -s -C "$floor"
build=${BUILD:-$root/.build/floor}

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

declare -A servers=(
    [uring]="$build/echo_uring --port PORT"
    [single]="$build/echo_uring --port PORT --form single"
    [epoll]="$build/echo_epoll --port PORT"
    [fibers]="$ringlet echo --port PORT --workers 1 --fibers"
    [tasks]="$ringlet echo --port PORT --workers 1 --tasks"
    [emulated_fibers]="env RINGLET_KERNEL=emulated $ringlet echo --port PORT --workers 1 --fibers"
    [emulated_tasks]="env RINGLET_KERNEL=emulated $ringlet echo --port PORT --workers 1 --tasks"
)

compare() {
    "$floor/compare.sh" --rounds "$rounds" --seconds "$seconds" \
        --connections "$1" --sizes "$2" --raw "$results/raw" \
        uring="${servers[uring]}" epoll="${servers[epoll]}" \
        fibers="${servers[fibers]}" tasks="${servers[tasks]}" \
        emulated_fibers="${servers[emulated_fibers]}" emulated_tasks="${servers[emulated_tasks]}"
    cat "$results/raw" >>"$results/compare"
}

if [[ $quick ]]; then
    compare 1,50,1000 64
    compare 50 16384
else
    compare "$connections" "$sizes"
fi

# How many connections a turn serves is a matter of luck under strace, so with many of them the
# counts are repeated, in turn.
for repetition in 1 2 3; do
    for server in uring single fibers tasks; do
        echo "counting system calls: $server, 50 connections, $repetition of 3"
        "$floor/syscalls.sh" --connections 50 "${servers[$server]}" \
            >>"$results/syscalls.$server.50"
    done
done
for server in uring fibers tasks; do
    echo "counting system calls: $server, 1 connection"
    "$floor/syscalls.sh" --connections 1 "${servers[$server]}" >"$results/syscalls.$server.1"
done
for server in uring fibers tasks; do
    echo "counting instructions: $server, 50 connections"
    "$floor/instructions.sh" --connections 50 "${servers[$server]}" \
        >"$results/instructions.$server.50"
done

python3 "$here/echo_goals.py" "$results"
