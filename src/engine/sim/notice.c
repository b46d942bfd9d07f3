/*
 * eventfd(2) and signalfd(2).
 *
 * A signal of a host reaches every signalfd there whose mask has it, since the programs of a host stand for processes;
 * one that nobody waits for stays pending until somebody does.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "engine/sim/sim.h"
#include "engine/sim/vector.h"

enum { SIGNALS = 64 };

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

static ssize_t fail(int number)
{
    errno = number;
    return -1;
}

/* --- counters --- */

struct counter {
    struct weir__sim_object object;
    uint64_t value;
    bool semaphore;
};

static ssize_t counter_receive(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    struct counter *counter = (struct counter *)object;
    (void)flags;
    if (weir__sim_vector_size(message) < sizeof counter->value)
        return fail(EINVAL);
    if (counter->value == 0)
        return fail(EAGAIN);
    uint64_t value = counter->semaphore ? 1 : counter->value;
    bool was_full = counter->value == UINT64_MAX - 1;
    counter->value -= value;
    weir__sim_vector_put(message, 0, &value, sizeof value);
    if (was_full)
        weir__sim_changed(object, POLLOUT);
    return sizeof value;
}

static ssize_t counter_send(struct weir__sim_object *object, const struct msghdr *message, int flags)
{
    struct counter *counter = (struct counter *)object;
    uint64_t value = 0;
    (void)flags;
    if (weir__sim_vector_size(message) < sizeof value)
        return fail(EINVAL);
    weir__sim_vector_get(message, 0, &value, sizeof value);
    if (value == UINT64_MAX)
        return fail(EINVAL);
    if (value > UINT64_MAX - 1 - counter->value)
        return fail(EAGAIN);
    counter->value += value;
    if (value)
        weir__sim_changed(object, POLLIN);
    return sizeof value;
}

static unsigned counter_ready(struct weir__sim_object *object)
{
    const struct counter *counter = (const struct counter *)object;
    return (counter->value ? POLLIN : 0U) | (counter->value < UINT64_MAX - 1 ? POLLOUT : 0U);
}

static int notice_stat(struct weir__sim_object *object, struct stat *status)
{
    *status = (struct stat){.st_mode = 0600, .st_ino = object->number, .st_nlink = 1, .st_blksize = 4096};
    return 0;
}

static const struct weir__sim_kind counter_kind = {
    .name = "eventfd",
    .receive = counter_receive,
    .send = counter_send,
    .stat = notice_stat,
    .ready = counter_ready,
    .closed = weir__sim_object_free,
};

/* A descriptor for it, or -1: it is freed then. */
static int open_or_free(struct weir__sim_object *object, bool nonblocking)
{
    int fd = weir__sim_open(object, nonblocking);
    if (fd >= 0)
        return fd;
    int number = errno;
    object->kind->closed(object);
    errno = number;
    return -1;
}

int weir__sim_eventfd(unsigned initial, int flags)
{
    struct counter *counter = weir__sim_object_new(&counter_kind, sizeof *counter, weir__sim_host());
    if (!counter)
        return -1;
    counter->value = initial;
    counter->semaphore = flags & EFD_SEMAPHORE;
    return open_or_free(&counter->object, flags & EFD_NONBLOCK);
}

/* --- signals --- */

struct weir__sim_notices {
    struct weir__list readers;
    uint64_t pending; /* those that nobody waits for */
};

struct reader {
    struct weir__sim_object object;
    struct weir__list link; /* in the notices of its host */
    uint64_t mask, pending;
};

static struct weir__sim_notices *notices_of(struct weir_sim_host *host)
{
    if (!host->notices && (host->notices = calloc(1, sizeof *host->notices)))
        weir__list_init(&host->notices->readers);
    return host->notices;
}

void weir__sim_notices_free(struct weir_sim_host *host)
{
    free(host->notices);
    host->notices = NULL;
}

void weir__sim_notify(struct weir_sim_host *host, int number)
{
    struct weir__sim_notices *notices = notices_of(host);
    struct weir__list *link;
    bool waited_for = false;
    if (!notices || number < 1 || number > SIGNALS)
        return;
    weir__list_each(link, &notices->readers)
    {
        struct reader *reader = weir__list_entry(link, struct reader, link);
        if (!(reader->mask & bit_of(number)))
            continue;
        waited_for = true;
        reader->pending |= bit_of(number);
        weir__sim_changed(&reader->object, POLLIN);
    }
    if (!waited_for)
        notices->pending |= bit_of(number);
}

/* What was pending before anybody waited for it is this one's. */
static void set_mask(struct reader *reader, const sigset_t *mask)
{
    struct weir__sim_notices *notices = reader->object.host->notices;
    reader->mask = 0;
    for (int number = 1; number <= SIGNALS; number++)
        if (sigismember(mask, number) == 1)
            reader->mask |= bit_of(number);
    reader->pending |= notices->pending;
    notices->pending = reader->pending & ~reader->mask;
    reader->pending &= reader->mask;
    if (reader->pending)
        weir__sim_changed(&reader->object, POLLIN);
}

static ssize_t reader_receive(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    struct reader *reader = (struct reader *)object;
    struct signalfd_siginfo info = {0};
    size_t size = weir__sim_vector_size(message), done = 0;
    (void)flags;
    if (size < sizeof info)
        return fail(EINVAL);
    if (!reader->pending)
        return fail(EAGAIN);
    for (; reader->pending && size - done >= sizeof info; done += sizeof info) {
        info.ssi_signo = 1 + (uint32_t)__builtin_ctzll(reader->pending);
        reader->pending &= reader->pending - 1;
        weir__sim_vector_put(message, done, &info, sizeof info);
    }
    return (ssize_t)done;
}

static unsigned reader_ready(struct weir__sim_object *object)
{
    return ((const struct reader *)object)->pending ? POLLIN : 0;
}

/* What it has not read, and nobody else was told, is for whoever comes next. */
static void reader_closed(struct weir__sim_object *object)
{
    struct reader *reader = (struct reader *)object;
    struct weir__sim_notices *notices = object->host->notices;
    struct weir__list *link;
    weir__list_remove(&reader->link);
    weir__list_each(link, &notices->readers) reader->pending &= ~weir__list_entry(link, struct reader, link)->mask;
    notices->pending |= reader->pending;
    weir__sim_object_free(object);
}

static const struct weir__sim_kind reader_kind = {
    .name = "signalfd",
    .receive = reader_receive,
    .stat = notice_stat,
    .ready = reader_ready,
    .closed = reader_closed,
};

static struct reader *new_reader(struct weir_sim_host *host)
{
    struct weir__sim_notices *notices = host ? notices_of(host) : NULL;
    struct reader *reader = notices ? weir__sim_object_new(&reader_kind, sizeof *reader, host) : NULL;
    if (reader)
        weir__list_push_back(&notices->readers, &reader->link);
    else
        errno = host ? ENOMEM : EINVAL;
    return reader;
}

static int change_mask(int fd, const sigset_t *mask)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    if (object->kind != &reader_kind)
        return (int)fail(EINVAL);
    set_mask((struct reader *)object, mask);
    return fd;
}

int weir__sim_signalfd(int fd, const sigset_t *mask, int flags)
{
    if (fd != -1)
        return change_mask(fd, mask);
    struct reader *reader = new_reader(weir__sim_host());
    if (!reader)
        return -1;
    set_mask(reader, mask);
    return open_or_free(&reader->object, flags & SFD_NONBLOCK);
}
