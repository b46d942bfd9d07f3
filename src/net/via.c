/*
 * Connecting through others: one after the other, each of which is asked for the next; the last one for the endpoint.
 */
#include "net/via.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/conn.h"
#include "net/ssh.h"

/* How a proxy is spoken to, on a connection to it that stands. */
typedef int speak_call(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, int64_t deadline);

/* NULL: an ssh, which is a program and not a connection. */
static speak_call *const speakers[] = {
    [WEIR__VIA_SSH] = NULL,
    [WEIR__VIA_SOCKS5] = weir__via_socks5,
    [WEIR__VIA_HTTP] = weir__via_http,
};

/* What a hop is asked for: the next one, or at the end of the list the endpoint. */
static const weir_endpoint *behind(struct weir__via_list *list, size_t index, const weir_endpoint *endpoint)
{
    return index + 1 < list->count ? &list->hops[index + 1].to : endpoint;
}

/* Closes a connection that did not become what it was to be, and keeps the error. */
static weir_conn *give_up(weir_conn *conn)
{
    int number = errno;
    if (conn != NULL)
        weir_abort(conn);
    weir_close(conn);
    errno = number;
    return NULL;
}

/* --- proxies --- */

/*
 * The way to the first proxy: with the options of the connection, but for what comes behind it. Its failure names
 * both.
 */
static weir_conn *dial_proxy(const struct weir__dialling *dialling, const struct weir__via *proxy)
{
    struct weir__dialling direct = {
        .endpoint = &proxy->to, .options = dialling->options, .deadline = dialling->deadline};
    weir_conn *conn = weir__dial_directly(&direct);
    if (conn == NULL)
        weir_fail(weir_error()->kind, errno, "connect", dialling->endpoint->text, "%s: %s", proxy->shown,
                  weir_error()->reason);
    return conn;
}

static weir_conn *through_proxy(weir_conn *conn, const struct weir__dialling *dialling, struct weir__via *proxy,
                                const weir_endpoint *to)
{
    if (weir__via_settle_password(proxy, dialling->deadline) < 0)
        return give_up(conn);
    if (conn == NULL && (conn = dial_proxy(dialling, proxy)) == NULL)
        return NULL;
    return speakers[proxy->kind](conn, proxy, to, dialling->deadline) == 0 ? conn : give_up(conn);
}

/* --- the chain --- */

/* ssh hops that follow each other are one ssh: how many there are from this one on. */
static size_t ssh_run(const struct weir__via_list *list, size_t first)
{
    size_t count = 0;
    while (first + count < list->count && speakers[list->hops[first + count].kind] == NULL)
        count++;
    return count;
}

weir_conn *weir__via_go_through(struct weir__via_list *list, size_t most, const struct weir__dialling *dialling)
{
    weir_conn *conn = NULL;
    for (size_t next, i = 0; i < most; i = next) {
        size_t count = ssh_run(list, i);
        next = i + (count > 0 ? count : 1);
        const weir_endpoint *to = behind(list, next - 1, dialling->endpoint);
        if (count > 0)
            conn = weir__ssh_connect(conn, &list->hops[i], count, to, dialling);
        else
            conn = through_proxy(conn, dialling, &list->hops[i], to);
        if (conn == NULL)
            return NULL;
    }
    return conn;
}

/* Whatever it was made for, it is now a connection to this endpoint. */
static weir_conn *rename_conn(weir_conn *conn, const weir_endpoint *endpoint)
{
    struct weir__conn_rare *rare = weir__conn_rare(conn);
    char *name = strdup(endpoint->text);
    if (rare == NULL || name == NULL) {
        free(name);
        weir__fail_memory("connect");
        return give_up(conn);
    }
    free(rare->name);
    rare->name = name;
    rare->through = true;
    conn->scheme = (uint8_t)endpoint->scheme;
    return conn;
}

static int check_endpoint(const weir_endpoint *endpoint)
{
    if (endpoint->scheme == WEIR_SCHEME_UNIX || endpoint->datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint->text, "only streams of TCP go through others");
    if (endpoint->host_kind == WEIR_HOST_ANY)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint->text, "* is nobody to connect to");
    if (endpoint->port == 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint->text, "nobody has port 0");
    return 0;
}

weir_conn *weir__via_dial(const struct weir__dialling *dialling)
{
    if (check_endpoint(dialling->endpoint) < 0)
        return NULL;
    struct weir__via_list *list = weir__via_parse(dialling->options->via);
    if (list == NULL)
        return NULL;
    weir_conn *conn = weir__via_go_through(list, list->count, dialling);
    int number = errno;
    weir__via_free(list);
    errno = number;
    return conn == NULL ? NULL : rename_conn(conn, dialling->endpoint);
}
