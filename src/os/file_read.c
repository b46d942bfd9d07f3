/* Reading files: on the pool, or as soon as there is something. */
#include <errno.h>

#include "base/error.h"
#include "os/file.h"

static int read_some(void *arg)
{
    struct weir__file_work *work = arg;
    ssize_t got;
    do
        got = weir__system()->read(work->fd, work->data, work->size);
    while (got < 0 && errno == EINTR);
    work->done = got > 0 ? (size_t)got : 0;
    return got < 0 ? -1 : 0;
}

static int read_all_at(void *arg)
{
    struct weir__file_work *work = arg;
    while (work->done < work->size) {
        ssize_t got = weir__system()->pread(work->fd, work->data + work->done, work->size - work->done,
                                            work->offset + (off_t)work->done);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            work->done += (size_t)got;
    }
    return 0;
}

static ssize_t read_on_pool(struct weir_file *file, struct weir__file_work work, int (*function)(void *))
{
    file->work[WEIR__READING] = work;
    if (weir__file_on_pool(file, WEIR__READING, function, "read") < 0)
        return -1;
    return (ssize_t)file->work[WEIR__READING].done;
}

/*
 * Of what the page cache holds, without going to the pool: > 0, or -1 where the pool must be asked. So it must for an
 * end too, which Linux 5.9 and 5.10 report where there is none (preadv2(2), BUGS).
 */
static ssize_t read_cached(struct weir_file *file, void *buffer, size_t size)
{
    if (!weir_self() || file->refuses_nowait[WEIR__READING])
        return -1;
    ssize_t got = weir__system()->read_nowait(file->fd, buffer, size);
    if (got < 0 && errno == EOPNOTSUPP)
        file->refuses_nowait[WEIR__READING] = true;
    return got > 0 ? got : -1;
}

ssize_t weir__file_read_pooled(struct weir_file *file, void *buffer, size_t size)
{
    ssize_t got = read_cached(file, buffer, size);
    if (got > 0)
        return got;
    return read_on_pool(file, (struct weir__file_work){.fd = file->fd, .data = buffer, .size = size}, read_some);
}

ssize_t weir__file_try_read(struct weir_file *file, void *buffer, size_t size)
{
    if (file->fd < 0)
        return 0; /* a standard input that was closed when the program started: the end */
    if (file->reopened)
        return weir__system()->read(file->watch.fd, buffer, size);
    if (!file->refuses_nowait[WEIR__READING]) {
        ssize_t got = weir__system()->read_nowait(file->watch.fd, buffer, size);
        if (got >= 0 || errno != EOPNOTSUPP)
            return got;
        file->refuses_nowait[WEIR__READING] = true;
    }
    if (weir__file_ready(file, WEIR__READING))
        return weir__system()->read(file->watch.fd, buffer, size);
    errno = EAGAIN;
    return -1;
}

static ssize_t read_watched(struct weir_file *file, void *buffer, size_t size, int64_t deadline)
{
    for (;;) {
        ssize_t got = weir__file_try_read(file, buffer, size);
        if (got >= 0)
            return got;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return weir__fail_system(errno, "read", file->name);
        weir__watch_clear(&file->watch, WEIR__READABLE);
        if (weir__file_wait(file, WEIR__READING, deadline) < 0)
            return -1;
    }
}

ssize_t weir_file_read(weir_file *file, void *buffer, size_t size, int64_t deadline)
{
    if (weir__file_enter(file, WEIR__READING, "read") < 0)
        return -1;
    ssize_t got =
        file->pooled ? weir__file_read_pooled(file, buffer, size) : read_watched(file, buffer, size, deadline);
    weir__file_leave(file, WEIR__READING);
    return got;
}

ssize_t weir_file_read_at(weir_file *file, void *buffer, size_t size, int64_t offset)
{
    if (weir__file_enter(file, WEIR__READING, "read") < 0)
        return -1;
    ssize_t got = read_on_pool(
        file, (struct weir__file_work){.fd = file->fd, .data = buffer, .size = size, .offset = offset}, read_all_at);
    weir__file_leave(file, WEIR__READING);
    return got;
}
