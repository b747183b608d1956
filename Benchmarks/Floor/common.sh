# What the three measuring scripts share. Sourced, not run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${BUILD:-$here/../../.build/floor}
load=$build/load

skip() {
    echo "SKIPPED ${0##*/}: $*"
    exit 0
}

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

require() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
    [[ -x $load ]] || fail "$load is missing; build it with: make -C $here"
}

# The default congestion control may pace, and pacing puts a timer on every send. A network
# namespace of one's own takes Reno without touching the machine, and nobody else's sockets are in
# it. Without the right to make one the figures are still comparable with each other.
# FLOOR_NETWORK=open asks to stay outside.
enter_private_network() {
    local control=/proc/sys/net/ipv4/tcp_congestion_control
    if [[ ${FLOOR_NETWORK:-} == private ]]; then
        ip link set lo up || fail "cannot bring up the loopback of the private network"
        sysctl -q -w net.ipv4.tcp_congestion_control=reno 2>/dev/null || true
        echo "network: private namespace, congestion control $(<$control)"
    elif [[ ${FLOOR_NETWORK:-} != open ]] && ((EUID == 0)) && command -v ip unshare >/dev/null &&
        unshare -n true 2>/dev/null; then
        FLOOR_NETWORK=private exec unshare -n -- "$BASH" "$0" "$@"
    else
        echo "network: shared with the machine, congestion control $(<$control)"
    fi
}

work=
server_pid=
observer_pid=

prepare_workspace() {
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Far from the usual services and below the range the kernel takes client ports from.
    next_port=$((20000 + RANDOM % 8000))
}

clean_up() {
    local pid
    for pid in $server_pid $observer_pid; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    if [[ -n $work ]]; then
        rm -rf "$work"
    fi
}

pinning() {
    if command -v taskset >/dev/null && (($(nproc) >= 2)); then
        echo "cores: server on 0, load on 1"
        on_server=(taskset -c 0)
        on_load=(taskset -c 1)
    else
        echo "cores: not pinned (taskset is missing or there is only one core)"
        on_server=()
        on_load=()
    fi
}

# start_server COMMAND [SECONDS]: runs the command with PORT replaced, in words and without a shell
# in between, so that $server_pid is the server itself. Returns when it says it is listening.
start_server() {
    local words line
    port=$((next_port++))
    read -r -a words <<<"${1//PORT/$port}"
    rm -f "$work/out"
    mkfifo "$work/out"
    "${on_server[@]}" "${words[@]}" >"$work/out" 2>"$work/err" &
    server_pid=$!
    exec {server_output}<"$work/out"
    while IFS= read -r -t "${2:-20}" -u "$server_output" line; do
        if [[ $line == *"listening on"* ]]; then
            return
        fi
    done
    cat "$work/err" >&2
    fail "this server never said that it listens: ${words[*]}"
}

# Asks the server to end, and after ten seconds insists.
stop_server() {
    kill -TERM "$server_pid" 2>/dev/null || true
    local waited
    for ((waited = 0; waited < 1000; waited++)); do
        if [[ ! -d /proc/$server_pid ]] || grep -qs '^State:.*Z' "/proc/$server_pid/status"; then
            break
        fi
        sleep 0.01
    done
    if ((waited == 1000)); then
        echo "a server ignored SIGTERM for ten seconds and was killed" >&2
        kill -KILL "$server_pid" 2>/dev/null || true
    fi
    wait "$server_pid" 2>/dev/null || true
    exec {server_output}<&-
    server_pid=
}
