/* The life of a connection: made, adopted, paired, closed. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/ssh.h"

static void free_conn(struct weir__watch *watch)
{
    weir_conn *conn = (weir_conn *)watch;
    if (conn->rare) {
        free(conn->rare->name);
        free(conn->rare->packed);
    }
    free(conn->rare);
    free(conn);
}

static void init_side(struct weir__side *side, int64_t now)
{
    side->deadline = WEIR_FOREVER;
    side->call_deadline = WEIR_FOREVER;
    side->progress = now;
}

weir_conn *weir__conn_new(int fd, weir_scheme scheme, bool datagram)
{
    weir_conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        weir__fail_memory("connection");
        return NULL;
    }
    int64_t now = weir__now();
    weir__watch_init(&conn->watch, fd);
    conn->watch.released = free_conn;
    init_side(&conn->side[0], now);
    init_side(&conn->side[1], now);
    conn->timeout = WEIR_FOREVER;
    conn->lifetime_end = WEIR_FOREVER;
    conn->scheme = (uint8_t)scheme;
    conn->datagram = datagram;
    conn->watch.bound = datagram;
    return conn;
}

struct weir__conn_rare *weir__conn_rare(weir_conn *conn)
{
    if (!conn->rare && !(conn->rare = calloc(1, sizeof *conn->rare)))
        weir__fail_memory("connection");
    return conn->rare;
}

void weir__conn_set_limits(weir_conn *conn, const struct weir__conn_limits *limits, int64_t lifetime)
{
    conn->limits = limits;
    conn->lifetime_end = lifetime == WEIR_FOREVER ? WEIR_FOREVER : weir_deadline(lifetime);
}

void weir_share_limits(weir_conn *conn, const weir_conn *client)
{
    const struct weir__conn_limits *limits = client->limits;
    if (!limits)
        return;
    conn->limits = limits->uncounted ? limits->uncounted : limits;
    conn->lifetime_end = client->lifetime_end;
}

/* --- making one of a descriptor --- */

static int integer_option(int fd, int level, int name, int *value)
{
    socklen_t length = sizeof *value;
    return weir__system()->getsockopt(fd, level, name, value, &length);
}

/* What an open socket is, as an endpoint's scheme. */
static int describe(int fd, weir_scheme *scheme, bool *datagram)
{
    int type, domain;
    if (integer_option(fd, SOL_SOCKET, SO_TYPE, &type) < 0 || integer_option(fd, SOL_SOCKET, SO_DOMAIN, &domain) < 0)
        return -1;
    *datagram = type == SOCK_DGRAM;
    *scheme = domain == AF_UNIX ? WEIR_SCHEME_UNIX : *datagram ? WEIR_SCHEME_UDP : WEIR_SCHEME_TCP;
    return 0;
}

static int set_blocking(int fd, bool blocking)
{
    int flags = weir__system()->fcntl(fd, F_GETFL, 0);
    if (flags < 0)
        return -1;
    return weir__system()->fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

weir_conn *weir_adopt(int fd)
{
    weir_scheme scheme;
    bool datagram;
    if (describe(fd, &scheme, &datagram) < 0 || set_blocking(fd, false) < 0) {
        weir__fail_system(errno, "adopt", "");
        return NULL;
    }
    return weir__conn_new(fd, scheme, datagram);
}

int weir_pair(int type, weir_conn *pair[2])
{
    int fds[2];
    if (weir__system()->socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return weir__fail_system(errno, "pair", "");
    pair[0] = weir__conn_new(fds[0], WEIR_SCHEME_UNIX, type == SOCK_DGRAM);
    if (!pair[0])
        goto no_first;
    pair[1] = weir__conn_new(fds[1], WEIR_SCHEME_UNIX, type == SOCK_DGRAM);
    if (!pair[1])
        goto no_second;
    return 0;

no_second:
    weir_close(pair[0]);
    pair[0] = NULL;
    weir__system()->close(fds[1]);
    return -1;
no_first:
    weir__system()->close(fds[0]);
    weir__system()->close(fds[1]);
    return -1;
}

int weir_yield_fd(weir_conn *conn)
{
    char name[WEIR_ADDRESS_TEXT];
    if (conn->secure)
        return weir_fail(WEIR_ERROR_USAGE, EOPNOTSUPP, "yield", weir__conn_name(conn, name, sizeof name),
                         "a descriptor without its TLS is of no use");
    if (weir__conn_by_ssh(conn))
        return weir_fail(WEIR_ERROR_USAGE, EOPNOTSUPP, "yield", weir__conn_name(conn, name, sizeof name),
                         "a descriptor without its ssh is of no use");
    if (conn->side[0].busy || conn->side[1].busy)
        return weir__fail_busy("yield", weir__conn_name(conn, name, sizeof name));
    if (weir__lines_left(conn))
        return weir_fail(WEIR_ERROR_BUSY, EBUSY, "yield", weir__conn_name(conn, name, sizeof name),
                         "%zu bytes that were read ahead would be lost", weir__lines_left(conn));
    int fd = conn->watch.fd;
    if (set_blocking(fd, true) < 0)
        return weir__conn_fail(conn, errno, "yield");
    weir_release(conn);
    weir__lines_free(conn->lines);
    conn->lines = NULL;
    weir__watch_close(&conn->watch, false);
    return fd;
}

int weir_fd(const weir_conn *conn)
{
    return conn->watch.fd;
}

/* --- closing --- */

/*
 * Whether a stream was reset, or given up by the system. An error may come when all has been acknowledged: by the peer's
 * system, whose program then closed without having read it. A shutdown that fails says nothing of it once the peer has
 * acknowledged our end as well. The socket tells it once, and looks ended to who reads then, who is to hear of it as well.
 */
static bool is_cut(weir_conn *conn, const char *step)
{
    int number = 0;
    socklen_t length = sizeof number;
    if (conn->datagram)
        return false;
    if (weir__system()->getsockopt(conn->watch.fd, SOL_SOCKET, SO_ERROR, &number, &length) == 0 && number != 0)
        weir__conn_fail(conn, number, step);
    if (number == EPIPE) /* what a reader has got is a true end then */
        atomic_store_explicit(&conn->untaken, true, memory_order_relaxed);
    return number != 0 || atomic_load_explicit(&conn->broken, memory_order_relaxed) ||
           atomic_load_explicit(&conn->untaken, memory_order_relaxed);
}

/* What is left of a stream that was cut will never be acknowledged. */
static int fail_cut(weir_conn *conn, int queued, const char *step)
{
    char text[WEIR_ADDRESS_TEXT];
    const char *name = weir__conn_name(conn, text, sizeof text);
    if (queued == 0)
        return weir_fail(WEIR_ERROR_CLOSED, ECONNRESET, step, name, "the peer closed before it had read all");
    return weir_fail(WEIR_ERROR_CLOSED, ECONNRESET, step, name, "%d bytes were not acknowledged", queued);
}

/* Ends our side. 0 or -1; where something that was written lies in TLS' outbox still, *owes. */
static int end_side(weir_conn *conn, bool *owes)
{
    if (!conn->secure)
        return weir__system()->shutdown(conn->watch.fd, SHUT_WR);
    int result = weir__tls_end(conn);
    *owes = result < 0 && errno == EAGAIN;
    return *owes ? 0 : result;
}

static int end_secure(weir_conn *conn)
{
    int result = weir__conn_end_secure(conn);
    if (!conn->aborted)
        weir__tls_discard(conn);
    weir__tls_free(weir__tls_of(conn));
    conn->rare->tls = NULL;
    conn->secure = false;
    return result;
}

/* Nothing tells when all is acknowledged, so look, rarer and rarer. */
static int flush(weir_conn *conn, int64_t timeout, const char *step)
{
    int64_t deadline = weir_deadline(timeout), pause = WEIR_MS(1);
    char name[WEIR_ADDRESS_TEXT];
    for (int queued = 0;; pause = pause < WEIR_MS(50) ? pause * 2 : pause) {
        bool owes = false, lost = end_side(conn, &owes) < 0;
        bool known = weir__system()->ioctl(conn->watch.fd, TIOCOUTQ, &queued) == 0;
        bool cut = is_cut(conn, step);
        if (conn->aborted)
            return weir__conn_fail_aborted(conn, step);
        if (cut || (lost && known && queued))
            return fail_cut(conn, queued, step);
        if (!known || (queued == 0 && !owes))
            return 0;
        int64_t now = weir_now();
        if (now >= deadline)
            return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, step, weir__conn_name(conn, name, sizeof name),
                             "%d bytes were not acknowledged in time", queued);
        if (weir_sleep_until(pause < deadline - now ? now + pause : deadline) < 0)
            return weir__fail_cancelled(step, weir__conn_name(conn, name, sizeof name));
    }
}

int weir_flush(weir_conn *conn, int64_t timeout)
{
    return flush(conn, timeout, "flush");
}

int weir_close(weir_conn *conn)
{
    if (!conn)
        return 0;
    int result = 0, saved = errno;
    weir_release(conn);
    if (conn->rare && conn->rare->linger && !conn->aborted && flush(conn, conn->rare->linger, "close") < 0) {
        result = -1;
        saved = errno;
    }
    weir__lines_free(conn->lines);
    conn->lines = NULL;
    if (conn->secure && end_secure(conn) < 0 && result == 0) {
        result = -1;
        saved = errno;
    }
    if (weir__conn_by_ssh(conn))
        weir__ssh_end(conn);
    if (conn->rare && conn->rare->file.inode)
        weir__unix_unlink(&conn->rare->bound, &conn->rare->file);
    weir__watch_close(&conn->watch, true);
    errno = saved;
    return result;
}

void weir_auto_close(weir_conn **conn)
{
    weir_close(*conn);
}

void weir_set_linger(weir_conn *conn, int64_t timeout)
{
    struct weir__conn_rare *rare = weir__conn_rare(conn);
    if (rare)
        rare->linger = timeout;
}
