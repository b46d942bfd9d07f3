/* The end of a stream: said by TLS where there is TLS, and a half-close. */
#include <errno.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/tls.h"

/* For a peer to take our end, where nothing else bounds writing. */
#define LONGEST_END WEIR_S(60)

static int wait_for_room(weir_conn *conn, int64_t until, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    weir__watch_clear(&conn->watch, WEIR__WRITABLE);
    int waited = weir__conn_wait_until(conn, WEIR__WRITABLE, until, step);
    return waited > 0 ? weir__fail_deadline(step, weir__conn_name(conn, name, sizeof name)) : waited;
}

static int send_end(weir_conn *conn, const char *step)
{
    int64_t until = conn->limits ? WEIR_FOREVER : weir_deadline(LONGEST_END);
    while (weir__tls_flush(conn) < 0) {
        if (errno != EAGAIN)
            return weir__conn_fail(conn, errno, step);
        if (wait_for_room(conn, until, step) < 0)
            return -1;
    }
    return 0;
}

int weir__conn_send_end(weir_conn *conn, const char *step)
{
    if (weir__conn_enter(conn, WEIR__WRITABLE, step) < 0)
        return -1;
    int result = send_end(conn, step);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return result;
}

int weir__conn_end_secure(weir_conn *conn)
{
    if (conn->aborted || weir__tls_end(conn) == 0 || errno != EAGAIN || conn->failure != WEIR__FAILURE_NONE)
        return 0;
    return weir__conn_send_end(conn, "close");
}

/*
 * What the socket does not take of the close_notify goes with what somebody is writing, and its end behind it; where
 * nobody is, it is waited for.
 */
static int shut(weir_conn *conn, int how)
{
    if (conn->secure && how != SHUT_WR)
        weir__tls_of(conn)->deaf = true;
    if (!conn->secure || how == SHUT_RD)
        return weir__system()->shutdown(conn->watch.fd, how);
    int result = weir__tls_end(conn);
    if (result < 0 && errno == EAGAIN && (how == SHUT_RDWR || conn->side[1].busy))
        result = 0;
    return how == SHUT_RDWR ? weir__system()->shutdown(conn->watch.fd, SHUT_RDWR) : result;
}

int weir_shutdown(weir_conn *conn, int how)
{
    if (shut(conn, how) == 0)
        return 0;
    if (conn->secure && errno == EAGAIN)
        return weir__conn_send_end(conn, "shutdown");
    return weir__conn_fail(conn, errno, "shutdown");
}
