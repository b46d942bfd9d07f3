/* Listeners for tests: their ports, and a client served. */
#ifndef WEIR_TESTS_LISTENED_H
#define WEIR_TESTS_LISTENED_H

#include "sockets.h"

#include "net/listen.h"

static inline unsigned port_at(weir_listener *listener)
{
    const char *endpoint = weir_listener_endpoint(listener, 0);
    return (unsigned)atoi(strrchr(endpoint, ':') + 1);
}

/* Reads what a client that has connected says, and answers. */
static inline void serve_one(weir_listener *listener, int client)
{
    char buffer[8] = "";
    check(send(client, "hello", 5, 0) == 5);
    weir_conn *conn = weir_accept(listener);
    check(conn);
    check(weir_recv(conn, buffer, sizeof buffer) == 5);
    check_text(buffer, "hello");
    check(weir_send_all(conn, "world", 5) == 0);
    check(recv(client, buffer, 5, MSG_WAITALL) == 5);
    check(weir_close(conn) == 0);
    close(client);
}

#endif
