#!/usr/bin/env bash
# The command `ringlet` where io_uring is refused and where limits are low: it works, and one line says on
# which kernel and why.
#
#   run.sh RINGLET LOAD     the command, and the load generator of Benchmarks/Floor
set -uo pipefail

ringlet=$1 load=$2
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

gcc -std=c11 -O2 -Wall -Wextra -Werror "$(dirname "$0")/sandbox.c" -o "$work/sandbox" || exit 1
# Where another user may read them.
cp "$ringlet" "$work/ringlet"
cp "$load" "$work/load"
# What the tour reads; not the folder that the outputs grow in.
mkdir "$work/tree" && cp "$(dirname "$0")"/* "$work/tree"

pass() { passed=$((passed + 1)); echo "passed  $1"; }
fail() {
    failed=$((failed + 1))
    echo "FAILED  $1"
    sed 's/^/        /' "$2" | tail -20
}
# io_uring, or the reason for the other.
why='^kernel: (io_uring, setup flags .*|emulated, .* \(.+\))$'
skip() { skipped=$((skipped + 1)); echo "skipped $1: $2"; }

# tour NAME PATTERN WORKERS SANDBOX-OPTION...: plays the tour, and looks for the pattern, and for the line about the
# kernel, of which there is one.
tour() {
    local name=$1 pattern=$2 workers=$3 output
    output=$work/tour.$BASHPID
    shift 3
    if timeout 120 "$work/sandbox" "$@" "$work/ringlet" tour --connections 100 --workers "$workers" \
        --tree "$work/tree" >"$output" 2>&1 && [[ $(grep -c "^kernel: " "$output") == 1 ]] && grep -Eq "$pattern" "$output" &&
        grep -q "That was the tour" "$output"; then
        pass "$name"
    else
        fail "$name" "$output"
    fi
}

# echo_server NAME KERNEL-PATTERN WORKERS SANDBOX-OPTION...: serves a short load, and stops when told.
echo_server() {
    local name=$1 pattern=$2 workers=$3 output pid port
    output=$work/echo.$BASHPID
    shift 3
    # Here, because the server's own redirection may come after the first look: the file is that of the one before.
    : >"$output"
    "$work/sandbox" "$@" "$work/ringlet" echo --port 0 --workers "$workers" >"$output" 2>&1 &
    pid=$!
    for _ in $(seq 200); do
        port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$output")
        [[ -n $port ]] && break
        sleep 0.05
    done
    if [[ -n $port ]] && timeout 20 "$work/load" --port "$port" --pid "$pid" --connections 20 \
        --size 64 --seconds 0.2 --warmup 0 >>"$output" 2>&1 && kill -TERM "$pid" && wait "$pid" &&
        [[ $(grep -c "^kernel: " "$output") == 1 ]] && grep -Eq "$pattern" "$output" &&
        grep -q "stopped after 20 connections" "$output"; then
        pass "$name"
    else
        kill -KILL "$pid" 2>/dev/null
        fail "$name" "$output"
    fi
}

export RINGLET_KERNEL=auto
hard_limit=$(ulimit -H -l)
[[ $hard_limit == unlimited ]] || hard_limit=$((hard_limit * 1024))
# The limit counts per user, and the kernel gives back late what a ring has locked: somebody else each time.
user=54400
memories=()
if [[ $(id -u) != 0 ]]; then
    skip "limits of locked memory as another user" "only root can become somebody else"
else
    for memory in 65536 8388608 unlimited; do
        if "$work/sandbox" --locked-memory "$memory" true 2>/dev/null; then
            memories+=("$memory")
        else
            skip "locked memory $memory" "the limit here is $hard_limit bytes, and may not be raised"
        fi
    done
fi

# The tours sleep most of their time, so they play at once.
(
    for cause in EPERM ENOSYS EACCES; do
        tour "tour, io_uring refused with $cause" "kernel: emulated.*refused" 2 --io-uring "$cause" &
    done
    RINGLET_KERNEL=emulated tour "tour, io_uring kills" "kernel: emulated.*asked for" 2 --io-uring kill &
    tour "tour, 64 descriptors" "limit of open descriptors leaves room" 2 --descriptors 64 &
    for memory in "${memories[@]}"; do
        for workers in 1 2 64; do
            user=$((user + 1))
            tour "tour, locked memory $memory, workers $workers" "$why" "$workers" \
                --locked-memory "$memory" --user "$user" &
        done
    done
    wait
) | tee "$work/tours"
passed=$(grep -c ^passed "$work/tours")
failed=$(grep -c ^FAILED "$work/tours")
user=$((user + 3 * ${#memories[@]}))

for cause in EPERM ENOSYS EACCES; do
    echo_server "echo, io_uring refused with $cause" "kernel: emulated.*refused" 2 --io-uring "$cause"
done
echo_server "echo, 64 descriptors" "$why" 2 --descriptors 64
RINGLET_KERNEL=emulated echo_server "echo, io_uring kills" "kernel: emulated.*asked for" 2 --io-uring kill

for memory in "${memories[@]}"; do
    for workers in 1 2 64; do
        user=$((user + 1))
        echo_server "echo, locked memory $memory, workers $workers" "$why" "$workers" \
            --locked-memory "$memory" --user "$user"
    done
done

echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed == 0 ]]
