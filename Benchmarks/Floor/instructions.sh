#!/usr/bin/env bash
# Counts the user-space instructions an echo costs a server.
#
#   instructions.sh [--connections 50] [--size 64] [--few 3000] [--many 23000] 'COMMAND --port PORT'
#
# Two runs under callgrind with different numbers of echoes; the difference cancels the start-up.
# What the kernel does is not in the figure. A server under valgrind is slow, so it meets full
# batches: the cost of a turn is shared by many echoes, for all servers alike.
set -euo pipefail
source "$(dirname "$0")/common.sh"

connections=50
size=64
few=3000
many=23000
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

require valgrind strip awk
enter_private_network "${original[@]}"
pinning
prepare_workspace

# valgrind gives up on debug information newer than itself, and the count needs none.
program=${command%% *}
if [[ $command == *" "* ]]; then
    options=${command#* }
else
    options=
fi
[[ -x $program ]] || program=$(command -v "$program") || fail "no such program: $program"
strip -o "$work/server" "$program" || fail "cannot make a stripped copy of $program"

# count_run ECHOES: leaves the instructions of one whole life of the server in $instructions.
count_run() {
    local total
    start_server "valgrind --tool=callgrind --callgrind-out-file=$work/callgrind \
        --error-limit=no -q $work/server $options" 60
    "${on_load[@]}" "$load" --port "$port" --connections "$connections" --size "$size" \
        --echoes "$1" --timeout 120 >/dev/null || {
        cat "$work/err" >&2
        fail "the load failed under valgrind"
    }
    stop_server
    total=$(awk '$1 == "totals:" || $1 == "summary:" { total = $2 } END { print total }' \
        "$work/callgrind")
    [[ -n $total ]] || fail "callgrind left no total"
    rm -f "$work/callgrind"
    instructions=$total
}

count_run "$few"
first=$instructions
count_run "$many"
echo "$connections connections, $size B, $((many - few)) echoes: $command"
awk -v first="$first" -v second="$instructions" -v echoes=$((many - few)) 'BEGIN {
    printf "  user instructions  %.1f per echo\n", (second - first) / echoes
}'
