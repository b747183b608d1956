# Fibers in gdb, of a live process or a core file:
#
#   info fibers           all started fibers of all workers
#   fiber N COMMAND...    COMMAND, such as bt, on the stack of suspended fiber N
#
# Coroutines and generators that are suspended are not listed. Of a fiber that waits in the body of one, the stack is shown
# that asks it for its next element.
#
# A core file of `generate-core-file` lacks the stacks where they have guards of Linux 6.13, since gdb leaves out
# mappings that it cannot read as a whole. The kernel's core files have them, and so has gdb's with
# RINGLET_STACK_GUARDS=mprotect.
#
# Load it with `source ringlet-gdb.py`; `make install` puts it into share/ringlet. It reads the table `ringlet_debug`
# (cctx_debug.h) and needs no type information. x86-64 only.

import gdb
import gdb.unwinder

KINDS = ["fiber", "coroutine", "generator", "task"]
WAITS = ["nothing: runnable", "operation", "timer", "another's end or a queue"]
RUNNING = (1, 4)
# What the switch has pushed, from the stored stack pointer on; then comes the red zone of x86-64.
REGISTERS = ["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"]
RED_ZONE = 128


def word(address, size=8):
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(memory), "little")


def text(address):
    if address == 0:
        return ""
    result = b""
    while len(result) < 200:
        byte = bytes(gdb.selected_inferior().read_memory(address + len(result), 1))
        if byte == b"\0":
            break
        result += byte
    return result.decode(errors="replace")


class Table:
    def __init__(self):
        try:
            self.address = int(gdb.parse_and_eval("(unsigned long)&ringlet_debug"))
        except gdb.error:
            raise gdb.GdbError("ringlet is not in this program, or has not been loaded yet")
        if word(self.address) >> 32 or word(self.address) < 1:
            raise gdb.GdbError("this script does not know the table of that version of ringlet")
        names = ["next", "live", "thread", "index"]
        self.worker = {name: word(self.address + 16 + 4 * i, 4) for i, name in enumerate(names)}
        names = ["next", "owner", "wait_kind", "wait_token", "sp", "name", "state", "kind",
                 "stack_limit", "stack_size"]
        self.fiber = {name: word(self.address + 32 + 4 * i, 4) for i, name in enumerate(names)}

    # Lists are cut where they cannot be true: the process may have been stopped in the middle of a change.
    def workers(self):
        address, seen = word(self.address + 8), set()
        while address and address not in seen:
            seen.add(address)
            yield address
            address = word(address + self.worker["next"])

    def fibers(self):
        for worker in self.workers():
            address, seen = word(worker + self.worker["live"]), set()
            while address and address not in seen:
                seen.add(address)
                yield Fiber(self, worker, address)
                address = word(address + self.fiber["next"])


class Fiber:
    def __init__(self, table, worker, address):
        def field(name, size=8):
            return word(address + table.fiber[name], size)

        # The second stored property of the Swift object that owns the fiber, after its header and a link.
        self.id = word(field("owner") + 24)
        self.name = text(field("name"))
        self.kind = KINDS[field("kind", 1) % len(KINDS)]
        self.is_running = field("state", 1) in RUNNING
        self.wait = WAITS[field("wait_kind", 1) % len(WAITS)]
        if field("wait_kind", 1) == 1:
            self.wait += " %d" % (field("wait_token") & 0xFFFFFFFF)
        self.sp = field("sp")
        self.stack = field("stack_limit"), field("stack_size")
        self.worker = word(worker + table.worker["index"], 4)
        self.thread = word(worker + table.worker["thread"], 4)


class InfoFibers(gdb.Command):
    """List all started fibers: number, worker and its thread, what each waits for, kind and name."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        count = 0
        for fiber in Table().fibers():
            state = "runs" if fiber.is_running else "waits for " + fiber.wait
            name = " '%s'" % fiber.name if fiber.name else ""
            print("%-6d worker %d (LWP %d)  %s%s: %s"
                  % (fiber.id, fiber.worker, fiber.thread, fiber.kind, name, state))
            count += 1
        print("%d fibers" % count)


class FiberUnwinder(gdb.unwinder.Unwinder):
    """While a fiber is looked at, its frames follow upon the innermost frame of the selected thread."""

    def __init__(self):
        super().__init__("ringlet")
        self.fiber = None
        self.base = None

    def __call__(self, pending):
        sp = int(pending.read_register("rsp"))
        if self.fiber is None or sp != self.base:
            return None
        # As if it were on the fiber's stack: gdb takes a stack for broken on which a caller lies below its callee, and
        # that of the fiber may lie anywhere.
        info = pending.create_unwind_info(FrameId(self.fiber.sp, int(pending.read_register("rip"))))
        kind = gdb.lookup_type("unsigned long")
        for number, name in enumerate(REGISTERS):
            info.add_saved_register(name, gdb.Value(word(self.fiber.sp + 8 * number)).cast(kind))
        top = self.fiber.sp + 8 * len(REGISTERS) + RED_ZONE
        info.add_saved_register("rsp", gdb.Value(top).cast(kind))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = gdb.Value(sp), gdb.Value(pc)


unwinder = FiberUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


class FiberCommand(gdb.Command):
    """fiber N COMMAND: run COMMAND, such as bt, on the stack of suspended fiber N. Frame 0 is the thread's own."""

    def __init__(self):
        super().__init__("fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        number, _, command = argument.partition(" ")
        if not number.isdigit():
            raise gdb.GdbError("which fiber? `info fibers` lists them")
        found = [fiber for fiber in Table().fibers() if fiber.id == int(number)]
        if not found:
            raise gdb.GdbError("there is no started fiber %s" % number)
        if found[0].is_running:
            raise gdb.GdbError("fiber %s runs: look at thread LWP %d" % (number, found[0].thread))
        if gdb.newest_frame().architecture().name() != "i386:x86-64":
            raise gdb.GdbError("only x86-64 is known here")
        base = int(gdb.newest_frame().read_register("rsp"))
        unwinder.fiber, unwinder.base = found[0], base
        gdb.invalidate_cached_frames()
        try:
            gdb.execute(command or "bt", from_tty)
        finally:
            unwinder.fiber = None
            gdb.invalidate_cached_frames()


InfoFibers()
FiberCommand()
