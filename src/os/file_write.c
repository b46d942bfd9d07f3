/* Writing files: on the pool, or as they take it. */
#include <errno.h>
#include <limits.h>

#include "base/error.h"
#include "os/file.h"
#include "os/quiet.h"

/* A write that took nothing of something would go on for ever. */
static ssize_t not_nothing(ssize_t written)
{
    if (written != 0)
        return written;
    errno = EIO;
    return -1;
}

/* Writes all that is left of the work, by one call after the other. */
static int write_all(struct weir__file_work *work, ssize_t (*write_once)(const struct weir__file_work *work))
{
    while (work->done < work->size) {
        ssize_t written = not_nothing(write_once(work));
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0)
            work->done += (size_t)written;
    }
    return 0;
}

static ssize_t write_once(const struct weir__file_work *work)
{
    return weir__system()->write(work->fd, work->data + work->done, work->size - work->done);
}

static ssize_t write_once_at(const struct weir__file_work *work)
{
    return weir__system()->pwrite(work->fd, work->data + work->done, work->size - work->done,
                                  work->offset + (off_t)work->done);
}

static int write_on_pool(void *work)
{
    return write_all(work, write_once);
}

static int write_at_on_pool(void *work)
{
    return write_all(work, write_once_at);
}

static int sync_on_pool(void *arg)
{
    const struct weir__file_work *work = arg;
    return weir__system()->fdatasync(work->fd);
}

static int write_some_on_pool(void *arg)
{
    struct weir__file_work *work = arg;
    ssize_t written = weir__write_quiet(work->fd, work->data, work->size, 0);
    work->done = written > 0 ? (size_t)written : 0;
    return written < 0 ? -1 : 0;
}

static struct weir__file_work work_of(int fd, const void *data, size_t size, int64_t offset)
{
    return (struct weir__file_work){.fd = fd, .data = (char *)(uintptr_t)data, .size = size, .offset = offset};
}

/*
 * To what cannot be asked not to wait. After poll(2) a pipe takes PIPE_BUF bytes at once; a terminal may not, and neither
 * does a pipe that somebody else filled meanwhile: so not on the loop's thread.
 */
static ssize_t write_when_ready(struct weir_file *file, const void *data, size_t size)
{
    struct weir__file_work *work = &file->work[WEIR__WRITING];
    if (!weir__file_ready(file, WEIR__WRITING)) {
        errno = EAGAIN;
        return -1;
    }
    *work = work_of(file->watch.fd, data, size < PIPE_BUF ? size : PIPE_BUF, 0);
    int result = 0;
    if (weir_offload(write_some_on_pool, work, NULL, &result, WEIR_FOREVER) < 0) {
        if (errno == EAGAIN) /* no thread for it; as EAGAIN of the file's it would be waited for */
            errno = ENOMEM;
        return -1;
    }
    return result < 0 ? -1 : (ssize_t)work->done;
}

static ssize_t write_some(struct weir_file *file, const void *data, size_t size)
{
    if (file->reopened)
        return weir__system()->write(file->watch.fd, data, size);
    if (!file->refuses_nowait[WEIR__WRITING]) {
        ssize_t written = weir__write_quiet(file->watch.fd, data, size, RWF_NOWAIT);
        if (written >= 0 || errno != EOPNOTSUPP)
            return written;
        file->refuses_nowait[WEIR__WRITING] = true;
    }
    return write_when_ready(file, data, size);
}

ssize_t weir__file_try_write(struct weir_file *file, const void *data, size_t size)
{
    if (file->fd >= 0)
        return not_nothing(write_some(file, data, size));
    errno = EBADF;
    return -1;
}

/* Adds what went to *done. 0 or -1. */
static int write_watched(struct weir_file *file, const char *data, size_t size, int64_t deadline, size_t *done)
{
    while (*done < size) {
        ssize_t written = weir__file_try_write(file, data + *done, size - *done);
        if (written > 0) {
            *done += (size_t)written;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return weir__fail_system(errno, "write", file->name);
        weir__watch_clear(&file->watch, WEIR__WRITABLE);
        if (weir__file_wait(file, WEIR__WRITING, deadline) < 0)
            return -1;
    }
    return 0;
}

static int write_pooled(struct weir_file *file, struct weir__file_work work, int (*function)(void *), size_t *done)
{
    file->work[WEIR__WRITING] = work;
    int result = weir__file_on_pool(file, WEIR__WRITING, function, "write");
    *done = file->work[WEIR__WRITING].done;
    return result;
}

int weir__file_write_pooled(struct weir_file *file, const void *data, size_t size, size_t *done)
{
    return write_pooled(file, work_of(file->fd, data, size, 0), write_on_pool, done);
}

int weir_file_write_all(weir_file *file, const void *data, size_t size, int64_t deadline)
{
    if (weir__file_enter(file, WEIR__WRITING, "write") < 0)
        return -1;
    size_t done = 0;
    int result = file->pooled ? weir__file_write_pooled(file, data, size, &done)
                              : write_watched(file, data, size, deadline, &done);
    weir__file_leave(file, WEIR__WRITING);
    return result < 0 ? weir__error_transferred(done) : 0;
}

int weir_file_write_at(weir_file *file, const void *data, size_t size, int64_t offset)
{
    if (weir__file_enter(file, WEIR__WRITING, "write") < 0)
        return -1;
    size_t done = 0;
    int result = write_pooled(file, work_of(file->fd, data, size, offset), write_at_on_pool, &done);
    weir__file_leave(file, WEIR__WRITING);
    return result < 0 ? weir__error_transferred(done) : 0;
}

int weir_file_sync(weir_file *file)
{
    if (weir__file_enter(file, WEIR__WRITING, "sync") < 0)
        return -1;
    file->work[WEIR__WRITING] = work_of(file->fd, NULL, 0, 0);
    int result = weir__file_on_pool(file, WEIR__WRITING, sync_on_pool, "sync");
    weir__file_leave(file, WEIR__WRITING);
    return result;
}
