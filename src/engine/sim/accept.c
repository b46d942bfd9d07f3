/* Acceptors in the simulator: clients are pushed to the server some at a time, and errors stop that, as with a kernel. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/loop.h"
#include "engine/sim/backend.h"

enum { MOST_ACCEPTS = 8 };

struct weir__sim_acceptor {
    struct weir__acceptor *acceptor;
    struct weir__sim_object *listener;
    struct weir__sim_event *telling;
};

static void tell_acceptor(void *arg);

static void stop_telling(struct weir__sim_acceptor *one)
{
    if (one->telling)
        weir__sim_forget(one->telling);
    if (one->listener)
        one->listener->acceptor = NULL;
    free(one);
}

static struct weir__sim_acceptor *acceptor_of(const struct weir__acceptor *acceptor)
{
    struct weir__sim_object *listener = weir__sim_get(acceptor->fd);
    return listener ? listener->acceptor : NULL;
}

int weir__sim_accept(weir_loop *loop, struct weir__acceptor *acceptor)
{
    (void)loop;
    struct weir__sim_object *listener = weir__sim_get(acceptor->fd);
    struct weir__sim_acceptor *one = listener ? calloc(1, sizeof *one) : NULL;
    if (!one)
        return -1;
    *one = (struct weir__sim_acceptor){.acceptor = acceptor, .listener = listener};
    listener->acceptor = one;
    if (listener->kind->ready(listener) & (POLLIN | POLLERR))
        one->telling = weir__sim_at(weir__sim_moment(), tell_acceptor, one);
    return 0;
}

/* One client. Whether there may be more: not after an error for which accepting has stopped. */
static bool accept_one(struct weir__sim_acceptor *one)
{
    struct weir__acceptor *acceptor = one->acceptor;
    int fd = weir__system()->accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && weir__accept_error_passes(errno))
        return errno != EAGAIN;
    if (fd < 0) {
        int number = errno;
        acceptor->armed = false;
        stop_telling(one);
        acceptor->accepted(acceptor, -number);
        return false;
    }
    acceptor->accepted(acceptor, fd);
    return acceptor->armed && !acceptor->stopping;
}

static void tell_acceptor(void *arg)
{
    struct weir__sim_acceptor *one = arg;
    struct weir__acceptor *acceptor = one->acceptor;
    one->telling = NULL;
    weir__sim_here->delivering = one->listener->host;
    for (uint64_t left = 1 + weir__sim_below(MOST_ACCEPTS); left; left--)
        if (!accept_one(one))
            return;
    if (acceptor->armed && !acceptor->stopping)
        one->telling = weir__sim_at(weir__sim_moment(), tell_acceptor, one);
}

/* One that stops has its last client to come, and no more. */
void weir__sim_tell_acceptor(struct weir__sim_acceptor *one)
{
    if (!one->telling && !one->acceptor->stopping)
        one->telling = weir__sim_at(weir__sim_moment(), tell_acceptor, one);
}

void weir__sim_acceptor_move(struct weir__sim_object *from, struct weir__sim_object *to)
{
    if (from->acceptor)
        from->acceptor->listener = to;
    if (to)
        to->acceptor = from->acceptor;
    from->acceptor = NULL;
}

static void accept_stopped(void *arg)
{
    struct weir__acceptor *acceptor = arg;
    weir__acceptor_stopped(acceptor);
}

/* As io_uring has it, a client may still come after it was told to stop. */
static void accept_last(void *arg)
{
    struct weir__sim_acceptor *one = arg;
    struct weir__acceptor *acceptor = one->acceptor;
    weir__sim_here->delivering = one->listener ? one->listener->host : NULL;
    int fd = one->listener ? weir__system()->accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
    stop_telling(one);
    acceptor->armed = false;
    if (fd >= 0)
        acceptor->accepted(acceptor, fd);
    weir__acceptor_stopped(acceptor);
}

void weir__sim_accept_stop(weir_loop *loop, struct weir__acceptor *acceptor)
{
    (void)loop;
    struct weir__sim_acceptor *one = acceptor_of(acceptor);
    if (one && weir__sim_here->late_release && one->listener && weir__sim_below(2)) {
        if (one->telling)
            weir__sim_forget(one->telling);
        one->telling = NULL;
        weir__sim_at(weir__sim_moment(), accept_last, one);
        return;
    }
    if (one)
        stop_telling(one);
    acceptor->armed = false;
    weir__sim_at(weir__sim_moment(), accept_stopped, acceptor);
}
