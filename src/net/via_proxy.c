/* What SOCKS and HTTP proxies have in common; see via_proxy.h. */
#include "net/via_proxy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/conn.h"

void weir__proxy_begin(weir_conn *conn, int64_t deadline)
{
    weir_set_deadline(conn, WEIR_READ_WRITE, deadline);
}

void weir__proxy_end(weir_conn *conn)
{
    weir_set_deadline(conn, WEIR_READ_WRITE, WEIR_FOREVER);
    conn->side[0].bytes = conn->side[1].bytes = 0;
}

const char *weir__proxy_host(const weir_endpoint *to)
{
    return to->host_kind == WEIR_HOST_DEFAULT ? "localhost" : to->host;
}

int weir__proxy_check(const struct weir__via *proxy, const weir_endpoint *to)
{
    if (to->host_kind == WEIR_HOST_ADDRESS && strchr(to->host, '%'))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", to->text,
                         "%s is another machine, where a zone of this one means nothing", proxy->shown);
    return 0;
}

int weir__proxy_fail(const struct weir__via *proxy, const weir_endpoint *to, int number, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return weir_fail(WEIR_ERROR_PROXY, number, "connect", to->text, "%s %s", proxy->shown, reason);
}

/* A time-out, a cancel and the lack of memory are the caller's own, whoever it waited for. */
int weir__proxy_failed(const struct weir__via *proxy, const weir_endpoint *to)
{
    const weir_error_info *error = weir_error();
    switch (error->kind) {
    case WEIR_ERROR_DEADLINE:
        return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "connect", to->text, "%s did not answer in time",
                         proxy->shown);
    case WEIR_ERROR_CANCELLED:
        return weir__fail_cancelled("connect", to->text);
    case WEIR_ERROR_MEMORY:
        return weir__fail_memory("connect");
    case WEIR_ERROR_CLOSED:
        return weir__proxy_fail(proxy, to, ECONNRESET, "closed the connection in place of an answer");
    default:
        return weir__proxy_fail(proxy, to, error->number, "could not be asked: %s", error->reason);
    }
}

int weir__proxy_send(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, const void *data,
                     size_t size)
{
    return weir_send_all(conn, data, size) == 0 ? 0 : weir__proxy_failed(proxy, to);
}

int weir__proxy_receive(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, void *data,
                        size_t size)
{
    return weir_read_exactly(conn, data, size) == 0 ? 0 : weir__proxy_failed(proxy, to);
}
