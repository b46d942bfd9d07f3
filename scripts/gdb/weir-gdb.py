"""Fibers in gdb, of a live process and of a core file: `source` this, then `help weir`.

A fiber that does not run belongs to no thread. Its registers lie on its own stack, where the switch has put them
(src/engine/switch_*.S). Selecting one makes gdb believe that the newest frame of the current thread was called from
there: an unwinder answers for that frame, and everything above it is the fiber's own.
"""
import gdb
from gdb.unwinder import Unwinder

STATES = ["new", "runnable", "running", "parked", "ended"]
# What is shown of where a fiber waits costs a walk of its stack.
MOST_WALKED = 2000


class X86:
    """MXCSR and x87 control word (8 bytes), r15, r14, r13, r12, rbx, rbp, the return address."""
    stack_pointer, counter = "rsp", "rip"
    size = 64

    @staticmethod
    def registers(read, at):
        names = ["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"]
        return {name: read(at + 8 + 8 * place) for place, name in enumerate(names)}


class Aarch64:
    """x19 to x28, x29, x30, d8 to d15, FPCR, 8 bytes unused."""
    stack_pointer, counter = "sp", "pc"
    size = 176

    @staticmethod
    def registers(read, at):
        found = {f"x{19 + place}": read(at + 8 * place) for place in range(12)}
        found["pc"] = found["x30"]
        return found


def architecture():
    name = gdb.selected_inferior().architecture().name()
    if "x86-64" in name:
        return X86
    if "aarch64" in name:
        return Aarch64
    raise gdb.GdbError(f"weir: no fibers on {name}")


def read_word(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


class FiberUnwinder(Unwinder):
    """Answers for the newest frame of the thread that was current when a fiber was selected."""

    def __init__(self):
        super().__init__("weir fiber")
        self.saved = None

    def select(self, fiber):
        self.saved = None
        gdb.invalidate_cached_frames()
        if fiber is None:
            return
        machine = architecture()
        frame = gdb.newest_frame()
        at = int(fiber["context"]["stack_pointer"])
        saved = machine.registers(read_word, at)
        saved[machine.stack_pointer] = at + machine.size
        self.newest = (int(frame.read_register(machine.stack_pointer)), frame.pc())
        self.machine, self.at, self.saved = machine, at, saved
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.saved is None:
            return None
        stack = pending.read_register(self.machine.stack_pointer)
        counter = pending.read_register(self.machine.counter)
        if (int(stack), int(counter)) != self.newest:
            return None
        # Below the fiber's own frames, or gdb would say that the stack runs backwards.
        identity = FrameIdentity(gdb.Value(self.at).cast(stack.type), counter)
        info = pending.create_unwind_info(identity)
        for name, value in self.saved.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info


class FrameIdentity:
    def __init__(self, stack, counter):
        self.sp, self.pc = stack, counter


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


# --- lists ---

def offset_of(type_name, member):
    return next(field.bitpos // 8 for field in gdb.lookup_type(type_name).fields() if field.name == member)


def ring(head, type_name, member):
    """What is in a ring of struct weir__list, front to back."""
    pointer = gdb.lookup_type(type_name).pointer()
    offset = offset_of(type_name, member)
    link = head["next"]
    while link != head.address:
        yield gdb.Value(int(link) - offset).cast(pointer)
        link = link["next"]


def loops():
    symbol = gdb.lookup_global_symbol("weir__loops") or gdb.lookup_symbol("weir__loops")[0]
    if symbol is None:
        raise gdb.GdbError("weir: no libweir with symbols in this program")
    return list(ring(symbol.value(), "struct weir_loop", "loops"))


def fibers():
    """Every fiber with its loop; new ones that have never run are in the run queue alone."""
    for loop in loops():
        known = set()
        for fiber in ring(loop["fibers"], "struct weir_fiber", "all"):
            known.add(int(fiber))
            yield loop, fiber
        for fiber in queued(loop):
            if int(fiber) not in known:
                yield loop, fiber


def queued(loop):
    """The fibers among the tasks that are to run: in the run queue, and in what other threads have handed in."""
    pointer = gdb.lookup_type("struct weir_fiber").pointer()
    offset = offset_of("struct weir_fiber", "task")
    for task in (loop["ready"], loop["inbox"]):
        while int(task) != 0:
            function = gdb.block_for_pc(int(task["function"]))
            if function and function.function and function.function.name == "run_task":
                yield gdb.Value(int(task) - offset).cast(pointer)
            task = task["next"]


def find(word):
    """A fiber by its number in the list, or by its name where one fiber alone has it."""
    if not word:
        raise gdb.GdbError("weir: which fiber? A number or a name of `weir fibers`")
    every = [fiber for _, fiber in fibers()]
    if word.isdigit():
        if not 1 <= int(word) <= len(every):
            raise gdb.GdbError(f"weir: there are fibers 1 to {len(every)}")
        return every[int(word) - 1]
    named = [fiber for fiber in every if fiber["name"].string() == word]
    if len(named) != 1:
        raise gdb.GdbError(f"weir: {len(named) or 'no'} fibers have the name {word}")
    return named[0]


# --- what is told of a fiber ---

def is_running(loop, fiber):
    return int(loop["running"]) == int(fiber)


def state_of(loop, fiber):
    return "running" if is_running(loop, fiber) else STATES[int(fiber["state"])]


def function_of(fiber):
    block = gdb.block_for_pc(int(fiber["function"]))
    return block.function.name if block and block.function else hex(int(fiber["function"]))


def frames_of(fiber):
    """The frames of a fiber that does not run, newest first. They are good until another is selected."""
    UNWINDER.select(fiber)
    frame = gdb.newest_frame().older()
    while frame is not None and frame.is_valid():
        yield frame
        frame = frame.older()


def is_public(name):
    return name is not None and name.startswith("weir_") and not name.startswith("weir__")


def where(fiber):
    """The call of the library that it waits in, and who called that."""
    last = None
    for frame in frames_of(fiber):
        name = frame.name()
        if is_public(name):
            last = name
        elif last:
            return f"{last} in {name}{source_of(frame)}"
        elif name and name.endswith("context_boot"):  # clang's assembler writes the name in a way of its own
            return ""
    return last or ""


def source_of(frame):
    place = frame.find_sal()
    return f" at {place.symtab.filename}:{place.line}" if place.symtab else ""


def arguments_of(frame):
    try:
        block = frame.block()
    except RuntimeError:
        return ""
    while block and not block.function:
        block = block.superblock
    if not block:
        return ""
    return ", ".join(f"{symbol.name}={short(symbol.value(frame))}" for symbol in block if symbol.is_argument)


def short(value):
    try:
        return value.format_string(max_elements=20, summary=True)
    except (gdb.error, TypeError):
        return str(value)


def thread_of(fiber):
    """The thread on whose processor a running fiber is, or None."""
    low = int(fiber["stack"]["low"])
    high = low + int(fiber["stack"]["size"])
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        if low <= int(gdb.newest_frame().read_register(architecture().stack_pointer)) < high:
            return thread
    return None


class Undisturbed:
    """Whatever is walked meanwhile, the selected thread, frame and fiber are as before."""

    def __enter__(self):
        self.thread, self.selected = gdb.selected_thread(), SELECTED.fiber
        if self.thread is None:
            raise gdb.GdbError("weir: no process and no core file")
        UNWINDER.select(None)

    def __exit__(self, *error):
        self.thread.switch()
        UNWINDER.select(self.selected)


class Selected:
    fiber = None


SELECTED = Selected()


# --- the commands ---

class Weir(gdb.Command):
    """Fibers of the weir library: `weir fibers`, `weir bt FIBER`, `weir fiber FIBER`."""

    def __init__(self):
        super().__init__("weir", gdb.COMMAND_STACK, prefix=True)


class WeirFibers(gdb.Command):
    """Lists every loop and its fibers: number, name, state, function, and the call that each waits in."""

    def __init__(self):
        super().__init__("weir fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        with Undisturbed():
            self.show()

    @staticmethod
    def show():
        current = None
        for number, (loop, fiber) in enumerate(fibers(), 1):
            if current is None or int(loop) != int(current):
                current = loop
                print(f"loop {int(loop):#x} on {loop['backend']['name'].string()}, "
                      f"{int(loop['fiber_count'])} fibers")
            state = state_of(loop, fiber)
            waits = where(fiber) if state in ("parked", "runnable") and number <= MOST_WALKED else ""
            UNWINDER.select(None)
            print(f"{number:5}  {fiber['name'].string():16} {state:8}  {function_of(fiber)}{': ' if waits else ''}{waits}")
        if current is None:
            print("no fibers")


class WeirBacktrace(gdb.Command):
    """Walks the stack of a fiber, by its number or name: weir bt FIBER."""

    def __init__(self):
        super().__init__("weir bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        fiber = find(argument.strip())
        with Undisturbed():
            if is_running(fiber["loop"], fiber):
                self.show_thread(fiber)
            elif state_of(fiber["loop"], fiber) == "new":
                print(f"has not begun yet: {function_of(fiber)}")
            else:
                for level, frame in enumerate(frames_of(fiber)):
                    print(f"#{level:<3} {frame.pc():#018x} in {frame.name() or '??'} "
                          f"({arguments_of(frame)}){source_of(frame)}")

    @staticmethod
    def show_thread(fiber):
        if thread_of(fiber) is None:
            raise gdb.GdbError("weir: it runs, but no thread is on its stack")
        gdb.execute("backtrace")


class WeirFiber(gdb.Command):
    """Selects a fiber, by its number or name, so that backtrace, up, frame and print work in it: weir fiber FIBER.

    Frame 0 stays the thread's own; those above it are the fiber's. Without FIBER the thread's own frames are back.
    Select none before the program goes on."""

    def __init__(self):
        super().__init__("weir fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        UNWINDER.select(None)
        SELECTED.fiber = None
        if not argument.strip():
            return
        fiber = find(argument.strip())
        if is_running(fiber["loop"], fiber):
            if thread_of(fiber) is None:
                raise gdb.GdbError("weir: it runs, but no thread is on its stack")
            return
        if state_of(fiber["loop"], fiber) == "new":
            raise gdb.GdbError(f"weir: it has not begun yet: {function_of(fiber)}")
        SELECTED.fiber = fiber
        UNWINDER.select(fiber)
        frame = gdb.newest_frame().older()
        if frame is not None:
            frame.select()
        gdb.execute("frame")


def forget(event):
    """The program goes on: what was selected is no more."""
    SELECTED.fiber = None
    UNWINDER.saved = None


gdb.events.cont.connect(forget)
Weir()
WeirFibers()
WeirBacktrace()
WeirFiber()
