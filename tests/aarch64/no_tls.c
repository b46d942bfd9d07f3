/* In place of src/net/tls*.c where there is no OpenSSL for the machine: nobody gets TLS. */
#include <errno.h>

#include "base/error.h"
#include "net/tls.h"

static int refuse(void)
{
    return weir_fail(WEIR_ERROR_TLS, ENOSYS, "tls", "", "this build has no TLS");
}

struct weir__tls_context *weir__tls_server(const weir_tls_options *options)
{
    (void)options;
    refuse();
    return NULL;
}

struct weir__tls_context *weir__tls_client(const weir_tls_options *options, const char *endpoint, int64_t deadline)
{
    (void)endpoint;
    (void)deadline;
    return weir__tls_server(options);
}

int weir__tls_reload(struct weir__tls_context *context)
{
    (void)context;
    return refuse();
}

void weir__tls_drop(struct weir__tls_context *context)
{
    (void)context;
}

int weir__tls_attach(weir_conn *conn, struct weir__tls_context *context, bool server)
{
    (void)conn;
    (void)context;
    (void)server;
    return refuse();
}

void weir__tls_free(struct weir__tls *tls)
{
    (void)tls;
}

bool weir__tls_pending(const weir_conn *conn)
{
    (void)conn;
    return false;
}

ssize_t weir__tls_receive(weir_conn *conn, void *buffer, size_t size, int flags)
{
    (void)conn;
    (void)buffer;
    (void)size;
    (void)flags;
    return refuse();
}

ssize_t weir__tls_send(weir_conn *conn, const void *data, size_t size, int flags)
{
    (void)conn;
    (void)data;
    (void)size;
    (void)flags;
    return refuse();
}

int weir__tls_flush(weir_conn *conn)
{
    (void)conn;
    return refuse();
}

int64_t weir__tls_look_again(weir_conn *conn, int direction)
{
    (void)conn;
    (void)direction;
    return WEIR_FOREVER;
}

bool weir__tls_told(weir_conn *conn)
{
    (void)conn;
    return false;
}

int weir__tls_end(weir_conn *conn)
{
    (void)conn;
    return refuse();
}

void weir__tls_discard(weir_conn *conn)
{
    (void)conn;
}

int weir__tls_expect(weir_conn *conn, const weir_tls_options *options, const weir_endpoint *endpoint)
{
    (void)conn;
    (void)options;
    (void)endpoint;
    return refuse();
}

int weir__tls_handshake(weir_conn *conn, int64_t deadline)
{
    (void)conn;
    (void)deadline;
    return refuse();
}

int weir__tls_ready(weir_conn *conn, int direction, const char *step)
{
    (void)conn;
    (void)direction;
    (void)step;
    return refuse();
}

bool weir__tls_try(weir_conn *conn)
{
    (void)conn;
    return true;
}

int weir_handshake(weir_conn *conn)
{
    (void)conn;
    return refuse();
}

bool weir__tls_fail(weir_conn *conn, int number, const char *step)
{
    (void)conn;
    (void)number;
    (void)step;
    return false;
}

int64_t weir__tls_pause(const weir_conn *conn)
{
    (void)conn;
    return 0;
}
