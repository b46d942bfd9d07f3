/*
 * Joining two connections: what comes from each goes to the other.
 *
 * Each direction has somebody of its own: the caller, and a second fiber of its loop or a second thread. Whichever fails
 * first aborts both connections, so that the other ends too; its error is the one that is told.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fiber.h>

#include "base/error.h"
#include "base/text.h"
#include "net/conn.h"

/* The first error, kept from the fiber or thread it happened in. */
struct failure {
    weir_error_kind kind;
    int number;
    char step[32], subject[400], reason[300];
};

struct copying {
    weir_conn *conns[2];
    uint64_t *bytes; /* the caller\'s, or own_bytes: each direction counts in one of the two */
    uint64_t own_bytes[2];
    atomic_bool failed;
    struct failure failure;
    weir__slot slot; /* of the caller, when it waits for the second fiber */
    bool second_done;
};

static void note_failure(struct copying *copying)
{
    if (!atomic_exchange(&copying->failed, true)) {
        const weir_error_info *error = weir_error();
        struct failure *failure = &copying->failure;
        failure->kind = error->kind;
        failure->number = error->number;
        weir__copy_text(failure->step, error->step, sizeof failure->step);
        weir__copy_text(failure->subject, error->subject, sizeof failure->subject);
        weir__copy_text(failure->reason, error->reason, sizeof failure->reason);
    }
    weir_abort(copying->conns[0]);
    weir_abort(copying->conns[1]);
}

/* Passes on what is received once. 1; 0 at the end of the stream, which a datagram without bytes is not; -1. */
static int pass_on(weir_conn *from, weir_conn *to, uint64_t *bytes)
{
    char *data = NULL;
    ssize_t length = weir_receive(from, &data);
    if (length < 0 || (length == 0 && !from->datagram))
        return (int)length;
    if (length > 0 || to->datagram)
        if (weir_send_all(to, data, (size_t)length) < 0)
            return -1;
    *bytes += (uint64_t)length;
    return 1;
}

/* One direction, until its end. Where the half-close does not get through any more, the other direction finds out why. */
static void copy_one(struct copying *copying, int direction)
{
    weir_conn *from = copying->conns[direction], *to = copying->conns[!direction];
    int result;
    do
        result = pass_on(from, to, &copying->bytes[direction]);
    while (result > 0);
    weir_release(from);
    if (result < 0)
        note_failure(copying);
    else
        weir_shutdown(to, SHUT_WR);
}

/* --- two fibers --- */

static int second_fiber(void *arg)
{
    struct copying *copying = arg;
    copy_one(copying, 1);
    copying->second_done = true;
    weir__wake(&copying->slot);
    return 0;
}

/* Both are fibers of one loop, so what the second one says is seen between two of the first one's waits. */
static void wait_for_second(struct copying *copying)
{
    bool cancelled = false;
    while (!copying->second_done) {
        weir__wait_begin(&copying->slot);
        int result = cancelled ? weir__wait_park_uncancelled(&copying->slot, WEIR_FOREVER)
                               : weir__wait_park(&copying->slot, WEIR_FOREVER);
        if (result == 0 || cancelled)
            continue;
        cancelled = true;
        weir__fail_cancelled("copy", "");
        note_failure(copying);
    }
}

static int copy_in_fibers(struct copying *copying)
{
    const weir_fiber_options options = {.size = sizeof options, .name = "copy", .detached = true};
    if (weir_spawn(second_fiber, copying, &options) == NULL)
        return -1;
    copy_one(copying, 0);
    wait_for_second(copying);
    return 0;
}

/* --- two threads --- */

static void *second_thread(void *arg)
{
    copy_one(arg, 1);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(pthread_t *thread, struct copying *copying)
{
    sigset_t all, before;
    sigfillset(&all);
    weir__system()->thread_mask(SIG_SETMASK, &all, &before);
    int number = pthread_create(thread, NULL, second_thread, copying);
    weir__system()->thread_mask(SIG_SETMASK, &before, NULL);
    return number;
}

static int copy_in_threads(struct copying *copying)
{
    pthread_t thread;
    int number = start_thread(&thread, copying);
    if (number != 0)
        return weir__fail_system(number, "copy", "");
    copy_one(copying, 0);
    pthread_join(thread, NULL);
    return 0;
}

/* --- the call --- */

static int tell_failure(const struct copying *copying)
{
    const struct failure *failure = &copying->failure;
    weir_fail(failure->kind, failure->number, failure->step, failure->subject, "%s", failure->reason);
    return weir__error_transferred(copying->bytes[0] + copying->bytes[1]);
}

int weir_copy(weir_conn *a, weir_conn *b, uint64_t bytes[2])
{
    struct copying *copying = calloc(1, sizeof *copying);
    if (copying == NULL)
        return weir__fail_memory("copy");
    copying->conns[0] = a;
    copying->conns[1] = b;
    copying->bytes = bytes != NULL ? bytes : copying->own_bytes;
    copying->bytes[0] = copying->bytes[1] = 0;
    int result = weir_self() != NULL ? copy_in_fibers(copying) : copy_in_threads(copying);
    if (result < 0)
        note_failure(copying);
    if (copying->failed)
        result = tell_failure(copying);
    int number = errno;
    free(copying);
    errno = number;
    return result;
}
