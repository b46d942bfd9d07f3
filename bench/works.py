"""What is measured: the works, the servers that do them, and the bars that weir is held to."""

from dataclasses import dataclass, field

IDLE_CONNECTIONS = 19_000


@dataclass(frozen=True)
class Work:
    """One thing a server is asked to do, as load's arguments."""

    name: str
    title: str
    unit: str
    transport: str
    arguments: tuple = ()
    idle: bool = False


@dataclass(frozen=True)
class Server:
    """One program that does it. {build} in its command is the build directory."""

    name: str
    title: str
    command: tuple
    transport: str = "tcp"
    kind: str = "peer"  # or "hand", a hand-written loop, or "weir"
    idle_arguments: tuple = ()
    environment: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Bar:
    """The cost of a server on a work, as a ratio to the cheapest of others, or in the work's unit
    where there are none."""

    work: str
    server: str
    against: tuple
    bar: float
    goal: float


WORKS = (
    Work("echo-64", "64 B echo, 64 connections", "CPU-µs a message", "tcp",
         ("--connections", "64", "--size", "64")),
    Work("echo-1000", "64 B echo, 1,000 connections", "CPU-µs a message", "tcp",
         ("--connections", "1000", "--size", "64")),
    Work("echo-64k", "64 KiB echo, 64 connections", "CPU-µs a message", "tcp",
         ("--connections", "64", "--size", "65536")),
    Work("churn", "connect, 64 B, close; 64 at once", "CPU-µs a connection", "tcp",
         ("--connections", "64", "--size", "64", "--churn")),
    Work("udp-64", "UDP echo of 64 B, 64 sockets", "CPU-µs a datagram", "udp",
         ("--connections", "64", "--size", "64")),
    Work("idle", "idle connections that have echoed once", "KiB a connection", "tcp",
         ("--size", "64", "--idle"), idle=True),
)


def peer(name, title, transport="tcp", kind="peer", environment=None):
    command = ("{build}/bench/peer_" + name,)
    return Server(name, title, command + ("0",), transport, kind, environment=environment or {})


def weir(backend, transport):
    name = f"weir-{backend}" if transport == "tcp" else f"weir-{backend}-{transport}"
    command = ("{build}/weir", "serve", "echo", f"{transport}://127.0.0.1:0",
               "--workers", "1", "--backend", backend)
    # The default, 90 % of the descriptor limit, may be below the number held.
    return Server(name, f"weir, {backend}", command, transport, "weir",
                  ("--max-connections", str(IDLE_CONNECTIONS + 500)))


ONE_CORE = {"GOMAXPROCS": "1"}

SERVERS = (
    peer("epoll", "epoll by hand", kind="hand"),
    peer("uring", "io_uring by hand", kind="hand"),
    weir("uring", "tcp"),
    weir("epoll", "tcp"),
    peer("libuv", "libuv, tuned"),
    peer("libuv_write", "libuv, as its guide"),
    peer("libevent", "libevent"),
    peer("go_echo", "Go", environment=ONE_CORE),
    Server("uvloop", "asyncio with uvloop",
           ("/usr/bin/python3", "{bench}/peers/uvloop_echo.py", "0")),
    peer("threads", "a thread a connection"),
    peer("udp_recvfrom", "recvfrom by hand", "udp", "hand"),
    peer("udp_recvmmsg", "recvmmsg by hand", "udp", "hand"),
    weir("uring", "udp"),
    weir("epoll", "udp"),
    peer("udp_libuv", "libuv", "udp"),
    peer("go_udp_echo", "Go", "udp", environment=ONE_CORE),
)

HAND_TCP = ("epoll", "uring")
HAND_UDP = ("udp_recvfrom", "udp_recvmmsg")

BARS = (
    Bar("echo-64", "weir-uring", HAND_TCP, 1.10, 1.05),
    Bar("echo-1000", "weir-uring", HAND_TCP, 1.10, 1.05),
    Bar("echo-64", "weir-epoll", ("epoll",), 1.10, 1.05),
    Bar("echo-1000", "weir-epoll", ("epoll",), 1.10, 1.05),
    Bar("echo-64k", "weir-uring", HAND_TCP, 1.10, 1.05),
    Bar("echo-64k", "weir-epoll", HAND_TCP, 1.10, 1.05),
    Bar("churn", "weir-uring", HAND_TCP, 1.20, 1.10),
    Bar("churn", "weir-epoll", HAND_TCP, 1.20, 1.10),
    Bar("udp-64", "weir-uring-udp", HAND_UDP, 1.10, 1.00),
    Bar("udp-64", "weir-epoll-udp", HAND_UDP, 1.10, 1.00),
    Bar("echo-64", "weir-uring", ("libuv",), 0.75, 0.65),
    Bar("echo-64", "weir-uring", ("libuv_write",), 0.75, 0.65),
    Bar("echo-64", "weir-uring", ("libevent",), 0.75, 0.65),
    Bar("echo-64", "weir-uring", ("go_echo",), 0.92, 0.80),
    Bar("echo-64", "weir-uring", ("uvloop",), 0.92, 0.80),
    Bar("idle", "weir-uring", (), 4.6, 4.2),
    Bar("idle", "weir-epoll", (), 4.6, 4.2),
)
