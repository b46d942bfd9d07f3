/* Connections through ssh: made, how their ends are told from its death, closed. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/conn.h"
#include "net/ssh.h"

/*
 * How long a close waits for ssh, which ends when the other side has: once it takes nothing more, and in all. A peer
 * that keeps its side open is cut off then, as by TCP.
 */
#define QUIET_MOST WEIR_S(2)
#define END_MOST   WEIR_S(60)

/* --- making --- */

static weir_conn *make_conn(struct weir__ssh *ssh, int fd, const weir_socket_options *options)
{
    weir_conn *conn = weir__conn_new(fd, WEIR_SCHEME_TCP, false);
    if (conn == NULL) {
        weir__system()->close(fd);
        weir__ssh_free(ssh);
        return NULL;
    }
    struct weir__conn_rare *rare = weir__conn_rare(conn);
    if (rare == NULL) {
        weir_close(conn);
        weir__ssh_free(ssh);
        errno = ENOMEM;
        return NULL;
    }
    rare->ssh = ssh;
    weir__socket_setup(fd, false, options);
    return conn;
}

weir_conn *weir__ssh_connect(weir_conn *earlier, const struct weir__via *hops, size_t count, const weir_endpoint *to,
                             const struct weir__dialling *dialling)
{
    struct weir__ssh_job job = {
        .hops = hops, .count = count, .to = to, .options = dialling->options, .deadline = dialling->deadline};
    int fd;
    struct weir__ssh *ssh = weir__ssh_start(earlier, &job, &fd);
    return ssh == NULL ? NULL : make_conn(ssh, fd, &dialling->options->socket);
}

/* --- its end, and that of ssh --- */

int weir__ssh_false_end(const weir_conn *conn)
{
    struct weir__ssh *ssh = conn->rare->ssh;
    weir__ssh_listen(ssh);
    pthread_mutex_lock(&ssh->lock);
    bool lost = ssh->words.lost && *ssh->words.strong == '\0';
    bool is_end = ssh->words.ended || ssh->words.multiplexed || lost;
    int number = ssh->deaf ? ssh->deaf : ECONNRESET;
    pthread_mutex_unlock(&ssh->lock);
    return is_end ? 0 : number;
}

bool weir__ssh_broke(weir_conn *conn, int number, const char *step)
{
    struct weir__ssh *ssh = conn->rare->ssh;
    char name[WEIR_ADDRESS_TEXT];
    if (number != ECONNRESET && number != EPIPE)
        return false;
    weir__ssh_listen(ssh);
    pthread_mutex_lock(&ssh->lock);
    bool silent = *ssh->words.strong == '\0';
    bool is_end = ssh->words.ended || (silent && (ssh->words.multiplexed || number == EPIPE));
    pthread_mutex_unlock(&ssh->lock);
    if (is_end)
        return false;
    weir__ssh_fail(ssh, step, weir__conn_name(conn, name, sizeof name));
    const weir_error_info *error = weir_error();
    weir_fail(WEIR_ERROR_SSH, number, error->step, error->subject, "%s", error->reason);
    return true;
}

void weir__ssh_reset(weir_conn *conn)
{
    weir_process_kill(conn->rare->ssh->process, SIGKILL);
    weir__system()->shutdown(conn->watch.fd, SHUT_RDWR);
}

/* --- closing --- */

/* What it has not taken of what was sent. */
static int queued(const weir_conn *conn)
{
    int bytes = 0;
    return weir__system()->ioctl(conn->watch.fd, TIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

/* ssh brings away what was sent, tells the end of both directions and waits for the other side's. */
static void see_off(weir_conn *conn)
{
    int64_t last = weir_deadline(END_MOST);
    int left = queued(conn), before;
    weir__system()->shutdown(conn->watch.fd, SHUT_RDWR);
    do {
        int64_t quiet = weir_deadline(QUIET_MOST);
        before = left;
        if (weir_process_wait(conn->rare->ssh->process, NULL, quiet < last ? quiet : last) == 0 || errno != ETIMEDOUT)
            return;
        left = queued(conn);
    } while (left < before && weir_now() < last);
}

/* A call that ran out of time or was cancelled has done nothing to what was sent. */
static bool is_lost(const weir_conn *conn)
{
    return conn->aborted || conn->failure == WEIR__FAILURE_RESET ||
           atomic_load_explicit(&conn->broken, memory_order_relaxed);
}

void weir__ssh_end(weir_conn *conn)
{
    int number = errno;
    if (!is_lost(conn) && conn->side[1].bytes > 0)
        see_off(conn);
    weir__ssh_free(conn->rare->ssh);
    conn->rare->ssh = NULL;
    errno = number;
}
