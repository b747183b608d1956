#!/usr/bin/env bash
# Counts the system calls an echo costs a server.
#
#   syscalls.sh [--connections 50] [--size 64] [--few 2000] [--many 22000] 'COMMAND --port PORT'
#
# Two runs under strace with different numbers of echoes, and the difference is divided by the
# difference in echoes: connecting, leaving and starting up are in both and cancel out. strace
# slows every call down, so more connections are ready per turn than in the open and the figure
# is a lower bound for a server that takes them in batches. All servers are equally affected.
set -euo pipefail
source "$(dirname "$0")/common.sh"

connections=50
size=64
few=2000
many=22000
command=

original=("$@")
while (($#)); do
    case $1 in
    --connections) connections=$2; shift 2 ;;
    --size) size=$2; shift 2 ;;
    --few) few=$2; shift 2 ;;
    --many) many=$2; shift 2 ;;
    -*) fail "unknown option $1" ;;
    *) command=$1; shift ;;
    esac
done
[[ -n $command ]] || fail "name the command of a server, with --port PORT"
((many > few)) || fail "--many must be larger than --few"

require strace awk
enter_private_network "${original[@]}"
pinning
prepare_workspace

# count_run ECHOES FILE: leaves lines of "calls name" in FILE.
count_run() {
    local line
    start_server "$command"
    rm -f "$work/strace"
    mkfifo "$work/strace"
    strace -c -f -p "$server_pid" -o "$work/summary" 2>"$work/strace" &
    observer_pid=$!
    exec {strace_output}<"$work/strace"
    while IFS= read -r -t 20 -u "$strace_output" line; do
        if [[ $line == *attached* ]]; then
            break
        fi
    done
    [[ ${line:-} == *attached* ]] || skip "strace may not attach here: ${line:-it said nothing}"
    "${on_load[@]}" "$load" --port "$port" --connections "$connections" --size "$size" \
        --echoes "$1" >/dev/null || fail "the load failed under strace"
    stop_server
    wait "$observer_pid" 2>/dev/null || true
    observer_pid=
    exec {strace_output}<&-
    # The errors column is often empty, so the name is the last field, not the sixth.
    awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $4, $NF }' "$work/summary" >"$2"
}

count_run "$few" "$work/few"
count_run "$many" "$work/many"
echo "$connections connections, $size B, $((many - few)) echoes: $command"
awk -v echoes=$((many - few)) '
    NR == FNR { few[$2] = $1; next }
    { seen[$2] = 1; each = ($1 - few[$2]) / echoes; all += each; calls[$2] = each }
    END {
        for (name in few) if (!(name in seen)) all -= few[name] / echoes
        for (name in calls)
            if (calls[name] >= 0.0005 && name != "io_uring_enter")
                printf "  %-18s %.4f per echo\n", name, calls[name]
        printf "  %-18s %.4f per echo\n", "io_uring_enter", calls["io_uring_enter"]
        printf "  %-18s %.4f per echo\n", "all system calls", all
    }' "$work/few" "$work/many"
