"""TCP echo on Python's asyncio with uvloop, by a Protocol: the fastest way asyncio offers."""

import asyncio
import resource
import socket
import sys

import uvloop


class Echo(asyncio.Protocol):
    """Answers from the callback; stops reading from a client that does not read."""

    def connection_made(self, transport):
        self.transport = transport
        client = transport.get_extra_info("socket")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.install()
    asyncio.run(main(int(sys.argv[1])))
