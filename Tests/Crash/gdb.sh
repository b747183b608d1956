#!/usr/bin/env bash
# The gdb script of Tools/gdb: the fibers of a process that is stopped at a crash, and of its core file, in Swift and
# in C.
#
#   gdb.sh PREFIX PROGRAM...     where the C library is installed; CrashProgram, of one or more builds
set -uo pipefail

prefix=$1
shift

script=$(dirname "$0")/../../Tools/gdb/ringlet-gdb.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
export SWIFT_BACKTRACE=enable=no

skip() { echo "skipped gdb: $1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
command -v gdb >/dev/null || skip "there is no gdb"
[[ $(uname -m) == x86_64 ]] || skip "the script knows x86-64 only"
gdb --batch -nx -ex 'python print("python")' 2>&1 | grep -q '^python$' || skip "this gdb has no Python"
gdb --batch -nx -ex run --args true 2>&1 | grep -q "exited normally" || skip "ptrace is refused here"

look=(-ex 'info fibers' -ex 'fiber 2 bt' -ex 'fiber 3 bt' -ex 'echo THREAD\n' -ex 'bt 4' -ex 'echo NO\n' -ex 'fiber 6 bt')
quiet=(--batch -nx -iex 'set debuginfod enabled off' -iex 'set complaints 0' -iex 'set pagination off'
    -iex "source $script")

# expect NAME PATTERN...: each is in what gdb said.
expect() {
    local name=$1 pattern missing=
    shift
    for pattern; do grep -Eq -- "$pattern" "$work/out" || missing+=" not there: $pattern"; done
    if [[ -z $missing ]]; then
        passed=$((passed + 1)); echo "passed  $name"
    else
        failed=$((failed + 1)); echo "FAILED  $name:$missing"
        grep -v "^During symbol" "$work/out" | tail -40 | sed 's/^/        /'
    fi
}

what=("worker 0 .LWP [0-9]+.  fiber 'breaker': runs" "fiber 'bystander': waits for timer" "^5 fibers"
    "fiber 'main': waits for another's end" "^#[0-9]+ .*inFiber.*" "^#[0-9]+ .*cctx_trampoline"
    "requireRule" "fiber 6 runs" "^#[0-9]+ .*Generator.*next.*")
for program; do
    build=$(basename "$(dirname "$program")")
    timeout 120 gdb "${quiet[@]}" -ex run "${look[@]}" --args "$program" rule >"$work/out" 2>&1
    expect "$build, live" "${what[@]}"
    # gdb leaves out a mapping of which it cannot read a part, as a guard of Linux 6.13 is; the kernel's own core
    # files have all of it.
    RINGLET_STACK_GUARDS=mprotect timeout 120 gdb "${quiet[@]}" -ex run \
        -ex "generate-core-file $work/core" --args "$program" rule >"$work/out" 2>&1
    timeout 120 gdb "${quiet[@]}" "${look[@]}" "$program" "$work/core" >"$work/out" 2>&1
    expect "$build, core" "${what[@]}"
    rm -f "$work/core"
done

# Tasks of the installed library, which has no symbols of its own.
what=("worker 0 .LWP [0-9]+.  task 'breaker': runs" "^[0-9]+ .*task 'sleeper': waits for timer"
    "^[0-9]+ .*task 'receiver': waits for operation" "^[0-9]+ .*task: waits for timer" "^4 fibers"
    "^#[0-9]+ .*wait_for_ever " "^#[0-9]+ .*sleeping_task " "^#[0-9]+ .*receiving_task ")
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs ringlet) -Wl,-rpath,$prefix/lib"
gcc -std=c11 -O2 -g -Wall -Wextra -Werror "$(dirname "$0")/tasks.c" "${flags[@]}" -o "$work/tasks" || exit 1
# Which number a task has depends on how far the worker is with its hosts when the next one is spawned.
cat >"$work/named.py" <<'END'
import re
listed = gdb.execute("info fibers", to_string=True)
print(listed)
for name in ("sleeper", "receiver"):
    found = re.search(rf"(?m)^(\d+) .*task '{name}':", listed)
    if found: gdb.execute(f"fiber {found.group(1)} bt")
END
for kernel in auto emulated; do
    RINGLET_KERNEL=$kernel timeout 120 gdb "${quiet[@]}" -ex run -ex "source $work/named.py" \
        "$work/tasks" >"$work/out" 2>&1
    expect "tasks in C, $kernel" "${what[@]}"
done

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
