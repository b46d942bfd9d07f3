/* What the two TCP peers on libuv share: listening, accepting, dropping. They differ in answering. */
#ifndef PEERS_LIBUV_SERVER_H
#define PEERS_LIBUV_SERVER_H

#include <uv.h>

/* Serves argv's port until killed; every client is read with these callbacks. */
int server_run(int argc, char **argv, uv_alloc_cb lend, uv_read_cb on_read);

/* Closes a client, once, and frees it when libuv has let go of it. */
void server_drop(uv_stream_t *client);

#endif
