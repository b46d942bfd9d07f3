/* Listening and accepting on libuv; see libuv_server.h. */
#include "libuv_server.h"

#include <stdlib.h>

#include "common.h"

static uv_alloc_cb client_lend;
static uv_read_cb client_on_read;

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void server_drop(uv_stream_t *client)
{
    if (!uv_is_closing((uv_handle_t *)client))
        uv_close((uv_handle_t *)client, on_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = malloc(sizeof *client);
    if (status < 0 || !client) {
        free(client);
        return;
    }
    uv_tcp_init(listener->loop, client);
    if (uv_accept(listener, (uv_stream_t *)client) < 0) {
        server_drop((uv_stream_t *)client);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, client_lend, client_on_read);
}

int server_run(int argc, char **argv, uv_alloc_cb lend, uv_read_cb on_read)
{
    struct sockaddr_in address = peer_address(argc, argv);
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_os_fd_t fd;
    client_lend = lend;
    client_on_read = on_read;
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, PEER_BACKLOG, on_connection) < 0 ||
        uv_fileno((uv_handle_t *)&listener, &fd) < 0)
        peer_fail("uv_listen");
    peer_ready(fd);
    return uv_run(loop, UV_RUN_DEFAULT);
}
