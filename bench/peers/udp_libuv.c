/*
 * UDP echo on libuv: one receive buffer, lent by the alloc callback; uv_udp_try_send answers at
 * once. A datagram that the socket refuses is dropped, as the network may.
 */
#include "common.h"

#include <uv.h>

static char buffer[PEER_BUFFER];

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *lent)
{
    (void)handle;
    (void)suggested;
    *lent = uv_buf_init(buffer, sizeof buffer);
}

static void on_datagram(uv_udp_t *socket, ssize_t got, const uv_buf_t *received, const struct sockaddr *sender,
                        unsigned flags)
{
    (void)flags;
    if (got < 0 || !sender)
        return;
    uv_buf_t answer = uv_buf_init(received->base, (unsigned)got);
    uv_udp_try_send(socket, &answer, 1, sender);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = peer_address(argc, argv);
    uv_loop_t *loop = uv_default_loop();
    uv_udp_t socket;
    uv_os_fd_t fd;
    uv_udp_init(loop, &socket);
    if (uv_udp_bind(&socket, (struct sockaddr *)&address, 0) < 0 || uv_udp_recv_start(&socket, lend, on_datagram) < 0 ||
        uv_fileno((uv_handle_t *)&socket, &fd) < 0)
        peer_fail("uv_udp_bind");
    peer_ready(fd);
    return uv_run(loop, UV_RUN_DEFAULT);
}
