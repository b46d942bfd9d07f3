/*
 * TCP echo on libuv as its guide has it: the alloc callback allocates the 64 KiB that libuv
 * suggests, every answer is a uv_write of that buffer, and its callback frees both.
 */
#include <stdlib.h>

#include "common.h"
#include "libuv_server.h"

struct answer {
    uv_write_t request;
    uv_buf_t buffer;
};

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    *buffer = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void on_written(uv_write_t *request, int status)
{
    struct answer *answer = (struct answer *)request;
    if (status < 0)
        server_drop(request->handle);
    free(answer->buffer.base);
    free(answer);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status;
    server_drop(request->handle);
    free(request);
}

/* A client that has only stopped sending still gets what it is owed; uv_close would discard it. */
static void finish(uv_stream_t *client)
{
    uv_shutdown_t *request = uv_stream_get_write_queue_size(client) ? malloc(sizeof *request) : NULL;
    if (!request || uv_shutdown(request, client, on_shut) < 0) {
        free(request);
        server_drop(client);
    }
}

static void on_read(uv_stream_t *client, ssize_t got, const uv_buf_t *received)
{
    struct answer *answer = got > 0 ? malloc(sizeof *answer) : NULL;
    if (!answer) {
        free(received->base);
        if (got < 0)
            finish(client);
        return;
    }
    answer->buffer = uv_buf_init(received->base, (unsigned)got);
    if (uv_write(&answer->request, client, &answer->buffer, 1, on_written) < 0)
        on_written(&answer->request, -1);
}

int main(int argc, char **argv)
{
    return server_run(argc, argv, allocate, on_read);
}
