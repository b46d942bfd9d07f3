/* One ssh: started, listened to until its channel stands, ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "engine/several.h"
#include "net/conn.h"
#include "net/ssh.h"

/* Descriptors that a start opens; -1: closed, or somebody's. */
struct ends {
    int ours, theirs; /* of its input and output */
    int errors[2];    /* what we read, what it writes */
};

/* --- opening and closing --- */

static void close_end(int *fd)
{
    int number = errno;
    if (*fd >= 0)
        weir__system()->close(*fd);
    *fd = -1;
    errno = number;
}

/*
 * Without waiting, both ends of the pipe: where nobody has read for long, ssh's words are lost and not its time. One
 * that forwards has no input: its socket pair is only watched, for its end.
 */
static int open_ends(struct ends *ends)
{
    int pair[2];
    if (weir__system()->socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return weir__fail_system(errno, "connect", "ssh");
    ends->ours = pair[0];
    ends->theirs = pair[1];
    if (weir__system()->pipe2(ends->errors, O_NONBLOCK | O_CLOEXEC) < 0) {
        ends->errors[0] = ends->errors[1] = -1;
        return weir__fail_system(errno, "connect", "ssh");
    }
    if (weir__system()->fcntl(ends->ours, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return weir__fail_system(errno, "connect", "ssh");
    return 0;
}

static void close_ends(struct ends *ends)
{
    close_end(&ends->ours);
    close_end(&ends->theirs);
    close_end(&ends->errors[0]);
    close_end(&ends->errors[1]);
}

/* --- listening --- */

/* A pipe of 64 KiB, whose pages are not all filled to their ends, may have been full. */
enum { PIPE_FULL = 48 * 1024 };

/* Bounded by what fits a pipe. */
static void listen_locked(struct weir__ssh *ssh)
{
    char data[1024];
    size_t heard = 0;
    ssize_t got;
    do {
        got = ssh->errors < 0 ? 0 : weir__system()->read(ssh->errors, data, sizeof data);
        if (got > 0)
            weir__ssh_hear(&ssh->words, data, (size_t)got);
        heard += got > 0 ? (size_t)got : 0;
        ssh->words.lost = ssh->words.lost || heard >= PIPE_FULL;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0 && errno != EAGAIN)
        ssh->deaf = errno;
}

void weir__ssh_listen(struct weir__ssh *ssh)
{
    int number = errno;
    pthread_mutex_lock(&ssh->lock);
    listen_locked(ssh);
    pthread_mutex_unlock(&ssh->lock);
    errno = number;
}

/* Whether it has closed its input and output, which is how it ends: 1, 0; -1 and errno: that cannot be found out. */
static int has_gone(int fd)
{
    char byte;
    ssize_t got = weir__system()->recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got >= 0)
        return got == 0;
    return errno == EAGAIN || errno == EINTR ? 0 : errno == ECONNRESET ? 1 : -1;
}

enum seen { STANDS, WAITS, GONE, FAILED };

/* How far it is. FAILED: errno says why that is not known. */
static enum seen look(struct weir__ssh *ssh, int fd)
{
    int gone = has_gone(fd), number = errno;
    weir__ssh_listen(ssh);
    errno = ssh->deaf ? ssh->deaf : number;
    if (ssh->words.stands)
        return STANDS;
    return gone < 0 || ssh->deaf ? FAILED : gone ? GONE : WAITS;
}

/* Both may be waited for by one fiber or thread at a time. They stay whose they were. */
static struct weir__several *watch_both(const struct weir__ssh *ssh, int fd, const char *step)
{
    struct weir__several *several = weir__several_new(2);
    if (several == NULL) {
        weir__fail_memory(step);
        return NULL;
    }
    weir__several_add(several, fd);
    weir__several_add(several, ssh->errors);
    return several;
}

static void unwatch_both(const struct weir__ssh *ssh, int fd, struct weir__several *several)
{
    int number = errno;
    weir__several_remove(several, fd, false);
    weir__several_remove(several, ssh->errors, false);
    weir__several_close(several);
    errno = number;
}

static int fail_wait(const struct weir__ssh *ssh, const struct weir__ssh_job *job)
{
    if (errno == ETIMEDOUT)
        return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "connect", job->to->text, "%s did not answer in time",
                         ssh->shown);
    if (errno == ECANCELED)
        return weir__fail_cancelled("connect", job->to->text);
    return weir__fail_system(errno, "connect", job->to->text);
}

/* Waits until the channel stands. */
static int await(struct weir__ssh *ssh, const struct weir__ssh_job *job, int fd)
{
    struct weir__several *several = watch_both(ssh, fd, "connect");
    enum seen seen;
    if (several == NULL)
        return -1;
    while ((seen = look(ssh, fd)) == WAITS)
        if (weir__several_wait(several, WEIR__READABLE, job->deadline, NULL, NULL) < 0) {
            seen = FAILED;
            break;
        }
    unwatch_both(ssh, fd, several);
    if (seen == FAILED)
        return fail_wait(ssh, job);
    return seen == GONE ? weir__ssh_fail(ssh, "connect", job->to->text) : 0;
}

int weir__ssh_await_end(struct weir__ssh *ssh, int fd, int64_t deadline)
{
    struct weir__several *several = watch_both(ssh, fd, "forward");
    int gone = 0, result = several == NULL ? -1 : 0;
    while (result == 0 && (gone = has_gone(fd)) == 0) {
        weir__ssh_listen(ssh);
        result = weir__several_wait(several, WEIR__READABLE, deadline, NULL, NULL);
    }
    if (several != NULL)
        unwatch_both(ssh, fd, several);
    return gone < 0 ? -1 : result;
}

/* --- starting --- */

static int start_process(struct weir__ssh *ssh, const struct weir__ssh_job *job, const struct ends *ends)
{
    struct weir__ssh_line line;
    int result = weir__ssh_line(&line, job);
    if (result == 0) {
        weir_process_options options = {.size = sizeof options,
                                        .input = WEIR_STDIO_FD,
                                        .output = WEIR_STDIO_FD,
                                        .error = WEIR_STDIO_FD,
                                        .input_fd = ends->theirs,
                                        .output_fd = ends->theirs,
                                        .error_fd = ends->errors[1],
                                        .die_with_parent = true,
                                        .end_group = true};
        ssh->process = weir_process_start((const char *const *)line.words, &options);
        result = ssh->process == NULL ? -1 : 0;
    }
    int number = errno;
    weir__ssh_line_free(&line);
    errno = number;
    return result;
}

static int start_and_await(struct weir__ssh *ssh, const struct weir__ssh_job *job, struct ends *ends)
{
    if (open_ends(ends) < 0 || start_process(ssh, job, ends) < 0)
        return -1;
    close_end(&ends->theirs);
    close_end(&ends->errors[1]);
    ssh->errors = ends->errors[0];
    ends->errors[0] = -1;
    return await(ssh, job, ends->ours);
}

/* Before another try, which says more in another way. */
static void forget(struct weir__ssh *ssh, struct ends *ends)
{
    close_ends(ends);
    close_end(&ssh->errors);
    weir_process_free(ssh->process);
    ssh->process = NULL;
    ssh->words = (struct weir__ssh_words){0};
    ssh->deaf = 0;
}

static int start(struct weir__ssh *ssh, struct weir__ssh_job *job, struct ends *ends)
{
    static atomic_bool is_old;
    job->old = atomic_load_explicit(&is_old, memory_order_relaxed);
    int result = start_and_await(ssh, job, ends);
    if (result == 0 || job->old || !ssh->words.old)
        return result;
    atomic_store_explicit(&is_old, true, memory_order_relaxed);
    job->old = true;
    forget(ssh, ends);
    return start_and_await(ssh, job, ends);
}

static void show_hops(struct weir__ssh *ssh, const struct weir__ssh_job *job)
{
    struct weir__text shown = weir__text(ssh->shown, sizeof ssh->shown);
    for (size_t i = 0; i < job->count; i++) {
        weir__text_put(&shown, i == 0 ? "" : ", ");
        weir__text_put(&shown, job->hops[i].shown);
    }
}

static struct weir__ssh *new_ssh(weir_conn *earlier, const struct weir__ssh_job *job)
{
    struct weir__ssh *ssh = calloc(1, sizeof *ssh);
    if (ssh == NULL) {
        weir_close(earlier);
        weir__fail_memory("connect");
        return NULL;
    }
    pthread_mutex_init(&ssh->lock, NULL);
    ssh->errors = -1;
    ssh->carrier = (struct weir__carrier){.held = {-1, -1}};
    show_hops(ssh, job);
    return ssh;
}

struct weir__ssh *weir__ssh_start(weir_conn *earlier, struct weir__ssh_job *job, int *fd)
{
    struct ends ends = {-1, -1, {-1, -1}};
    struct weir__ssh *ssh = new_ssh(earlier, job);
    if (ssh == NULL)
        return NULL;
    char *command = NULL;
    int result = earlier == NULL ? 0 : weir__carrier_start(&ssh->carrier, earlier, &ssh->earlier, &command);
    job->command = command;
    if (result == 0)
        result = start(ssh, job, &ends);
    free(command);
    job->command = NULL;
    weir__carrier_let_go(&ssh->carrier);
    if (result == 0) {
        *fd = ends.ours;
        return ssh;
    }
    close_ends(&ends);
    weir__ssh_free(ssh);
    return NULL;
}

/* --- ending --- */

void weir__ssh_free(struct weir__ssh *ssh)
{
    if (ssh == NULL)
        return;
    int number = errno;
    weir_process_free(ssh->process);
    weir__carrier_end(&ssh->carrier);
    close_end(&ssh->errors);
    weir__ssh_free(ssh->earlier);
    pthread_mutex_destroy(&ssh->lock);
    free(ssh);
    errno = number;
}

int weir__ssh_fail(struct weir__ssh *ssh, const char *step, const char *subject)
{
    char reason[sizeof ssh->words.strong];
    pthread_mutex_lock(&ssh->lock);
    listen_locked(ssh);
    weir__ssh_reason(&ssh->words, reason, sizeof reason);
    int number = ssh->deaf && !*ssh->words.strong ? ssh->deaf : weir__ssh_number(&ssh->words);
    pthread_mutex_unlock(&ssh->lock);
    return weir_fail(WEIR_ERROR_SSH, number, step, subject, "%s: %s", ssh->shown, reason);
}
