/*
 * TCP echo on libuv, tuned: one 64 KiB receive buffer for all clients, lent by the alloc callback;
 * an answer is tried at once with uv_try_write, and only what the socket refused is copied and
 * queued, during which the connection is not read.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "libuv_server.h"

struct pending {
    uv_write_t request;
    char bytes[];
};

static char buffer[PEER_BUFFER];

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *lent)
{
    (void)handle;
    (void)suggested;
    *lent = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *client, ssize_t got, const uv_buf_t *received);

static void on_written(uv_write_t *request, int status)
{
    uv_stream_t *client = request->handle;
    free(request);
    if (status < 0)
        server_drop(client);
    else
        uv_read_start(client, lend, on_read);
}

static void queue(uv_stream_t *client, const char *bytes, size_t length)
{
    struct pending *pending = malloc(sizeof *pending + length);
    if (!pending)
        peer_fail("malloc");
    memcpy(pending->bytes, bytes, length);
    uv_buf_t rest = uv_buf_init(pending->bytes, (unsigned)length);
    uv_read_stop(client);
    if (uv_write(&pending->request, client, &rest, 1, on_written) < 0) {
        free(pending);
        server_drop(client);
    }
}

static void answer(uv_stream_t *client, const char *bytes, size_t length)
{
    uv_buf_t whole = uv_buf_init((char *)bytes, (unsigned)length);
    int sent = uv_try_write(client, &whole, 1);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0)
        server_drop(client);
    else if ((size_t)sent < length)
        queue(client, bytes + sent, length - (size_t)sent);
}

static void on_read(uv_stream_t *client, ssize_t got, const uv_buf_t *received)
{
    if (got < 0)
        server_drop(client);
    else if (got > 0)
        answer(client, received->base, (size_t)got);
}

int main(int argc, char **argv)
{
    return server_run(argc, argv, lend, on_read);
}
