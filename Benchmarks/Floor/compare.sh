#!/usr/bin/env bash
# Runs two or more echo servers side by side and prints what an echo costs each of them.
#
#   compare.sh [--rounds 5] [--seconds 0.8] [--warmup 0.3] [--connections 1,50,1000] [--sizes 64]
#              [--raw FILE] NAME='COMMAND --port PORT' NAME='COMMAND --port PORT' ...
#
# The first server named is the floor. A round measures all servers one after the other and each
# is compared with the floor of the same round, so a slow minute of the machine hits both. The
# order rotates from round to round, so that no server always comes first.
set -euo pipefail
source "$(dirname "$0")/common.sh"

rounds=5
seconds=0.8
warmup=0.3
connections=1,50,1000
sizes=64
raw=
names=()
commands=()

original=("$@")
while (($#)); do
    case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --warmup) warmup=$2; shift 2 ;;
    --connections) connections=$2; shift 2 ;;
    --sizes) sizes=$2; shift 2 ;;
    --raw) raw=$2; shift 2 ;;
    -*) fail "unknown option $1" ;;
    *=*) names+=("${1%%=*}"); commands+=("${1#*=}"); shift ;;
    *) fail "expected NAME='COMMAND --port PORT', not '$1'" ;;
    esac
done
((${#names[@]} >= 2)) || fail "name at least two servers, the floor first"

require python3
enter_private_network "${original[@]}"
pinning
prepare_workspace
: >"$work/results"

IFS=, read -r -a connection_list <<<"$connections"
IFS=, read -r -a size_list <<<"$sizes"
count=${#names[@]}
for size in "${size_list[@]}"; do
    for connection in "${connection_list[@]}"; do
        for ((round = 0; round < rounds; round++)); do
            for ((turn = 0; turn < count; turn++)); do
                index=$(((round + turn) % count))
                start_server "${commands[index]}"
                if ! figures=$("${on_load[@]}" "$load" --port "$port" --pid "$server_pid" --json \
                    --connections "$connection" --size "$size" \
                    --seconds "$seconds" --warmup "$warmup"); then
                    cat "$work/err" >&2
                    fail "the load failed on '${names[index]}' ($connection connections, $size B)"
                fi
                stop_server
                printf '{"name": "%s", "round": %d, "load": %s}\n' \
                    "${names[index]}" "$round" "$figures" >>"$work/results"
            done
        done
    done
done

if [[ -n $raw ]]; then
    cp "$work/results" "$raw"
fi
python3 "$here/summarise.py" "$work/results"
