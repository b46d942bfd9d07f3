"""weir serve print --processes: several processes write to one stdout, and one that is killed holds nobody up."""
import os
import signal
import socket

from talk import eventually
from test_print import Output
from test_processes import children, servers_of

OTHERS = 40  # connections of which one is served by another process: the kernel hashes them


def printer(serve, *options):
    server = serve("print", "tcp://127.0.0.1:0", "--processes", "2", "--pause", "1h", *options)
    return server, Output(server)


def connect(server):
    """Connects, and waits until it was told so: then it has been accepted."""
    client = server.connect()
    own = client.getsockname()
    server.wait_for_text(rf"Connection from {own[0]}:{own[1]}$", timeout=30)
    return client


def connect_elsewhere(server, first):
    """A client that another process serves than the first one."""
    for _ in range(OTHERS):
        client = connect(server)
        if len(set(servers_of(server, [first, client]))) == 2:
            return client
        name = client.getsockname()[1]
        client.close()
        server.wait_for_text(rf":{name} ended", timeout=30)
    raise AssertionError("all are served by one process")


def test_a_line_of_another_process_is_waited_for(serve):
    server, output = printer(serve)
    with connect(server) as first:
        first.sendall(b"begun ")  # alone, so it is shown
        output.wait_for(b"begun ")
        with connect_elsewhere(server, first) as second:
            second.sendall(b"another line\n")
            server.wait_for_counters("print", bytes_in=len(b"begun another line\n"))
            first.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in b"and ", b"ended":
                first.sendall(piece)
                output.wait_for(b"begun " + piece if piece == b"and " else b"begun and ended")
            first.sendall(b"\n")
            output.wait_for(b"begun and ended\nanother line\n")


def test_those_that_have_ended_leave_the_others_their_output(serve):
    """One whose handler has nothing more to do ends before the other: what is then sent is printed all the same."""
    server, output = printer(serve, "--drain-timeout", "1h")
    with connect(server) as first, connect_elsewhere(server, first) as second:
        first_process = servers_of(server, [first])[0]
        server.signal(signal.SIGTERM)
        first.close()
        eventually(lambda: first_process not in children(server), 30)
        second.sendall(b"late line\n")
        output.wait_for(b"late line\n")
        second.close()
        assert server.wait() == 0


def test_of_a_process_that_is_killed_nothing_is_left(serve):
    """Neither its line, which is ended, nor its clients: who is alone then is shown as he types."""
    server, output = printer(serve)
    with connect(server) as first, connect_elsewhere(server, first) as second:
        name = second.getsockname()[1]
        second.close()
        server.wait_for_text(rf":{name} ended", timeout=30)
        first.sendall(b"begun ")
        output.wait_for(b"begun ")
        with connect_elsewhere(server, first) as third:
            victim = servers_of(server, [first])[0]
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: len(children(server)) == 2 and victim not in children(server), 30)
            third.sendall(b"another line\nand half ")
            output.wait_for(b"begun \nanother line\nand half ")
