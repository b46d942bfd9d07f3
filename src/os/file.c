/* The life of a file: opened, adopted, cancelled, closed. */
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/text.h"
#include "os/descriptor.h"

void weir__file_init(struct weir_file *file, int fd, const struct stat *status, const char *name)
{
    file->fd = fd;
    file->name = name;
    file->regular = S_ISREG(status->st_mode);
    file->pooled = file->regular || S_ISDIR(status->st_mode) || S_ISBLK(status->st_mode);
    file->pipe = S_ISFIFO(status->st_mode);
    file->terminal = S_ISCHR(status->st_mode) && weir__is_terminal(fd);
    int own = file->terminal ? weir__terminal_reopen(fd) : -1;
    file->reopened = own >= 0;
    weir__watch_init(&file->watch, file->reopened ? own : fd);
}

struct weir_file *weir__file_new(int fd, bool owned, const char *name, const char *step)
{
    struct stat status;
    if (weir__system()->fstat(fd, &status) < 0) {
        weir__fail_system(errno, step, name);
        return NULL;
    }
    size_t length = strlen(name) + 1;
    struct weir_file *file = calloc(1, sizeof *file + length);
    if (!file) {
        weir__fail_memory(step);
        return NULL;
    }
    weir__file_init(file, fd, &status, memcpy(file + 1, name, length));
    file->owned = owned;
    return file;
}

weir_file *weir_file_adopt(int fd, bool owned)
{
    char name[32];
    struct weir__text text = weir__text(name, sizeof name);
    weir__text_put(&text, "descriptor ");
    if (fd < 0)
        weir__text_put_char(&text, '-');
    weir__text_put_number(&text, fd < 0 ? 0 - (uint64_t)fd : (uint64_t)fd);
    return weir__file_new(fd, owned, name, "adopt");
}

/* A call to open(2), which is the pool's if its caller was cancelled: opening a named pipe waits for its other end. */
struct opening {
    int flags;
    mode_t mode;
    int fd;
    char path[];
};

static int open_on_pool(void *arg)
{
    struct opening *opening = arg;
    opening->fd = weir__system()->open(opening->path, opening->flags, opening->mode);
    opening->fd = weir__above_standard(opening->fd);
    return opening->fd < 0 ? -1 : 0;
}

static void abandon_opening(void *arg)
{
    struct opening *opening = arg;
    weir__close_quietly(opening->fd);
    free(opening);
}

static struct opening *new_opening(const char *path, int flags, mode_t mode)
{
    size_t length = strlen(path) + 1;
    struct opening *opening = malloc(sizeof *opening + length);
    if (!opening)
        return NULL;
    *opening = (struct opening){.flags = flags | O_CLOEXEC, .mode = mode, .fd = -1};
    memcpy(opening->path, path, length);
    return opening;
}

/* Returns the open descriptor, or -1 with an error. */
static int open_path(const char *path, int flags, mode_t mode)
{
    struct opening *opening = new_opening(path, flags, mode);
    if (!opening)
        return weir__fail_memory("open");
    int result = -1;
    if (weir_offload(open_on_pool, opening, abandon_opening, &result, WEIR_FOREVER) < 0) {
        int number = errno;
        if (number == ECANCELED || number == ETIMEDOUT) /* it is the pool's now */
            return weir__fail_cancelled("open", path);
        free(opening);
        return weir__fail_system(number, "open", path);
    }
    int number = errno;
    int fd = opening->fd;
    free(opening);
    return result < 0 ? weir__fail_system(number, "open", path) : fd;
}

weir_file *weir_file_open(const char *path, int flags, mode_t mode)
{
    int fd = open_path(path, flags, mode);
    if (fd < 0)
        return NULL;
    struct weir_file *file = weir__file_new(fd, true, path, "open");
    if (!file)
        weir__close_quietly(fd);
    return file;
}

int weir_pipe(weir_file *end[2])
{
    int pair[2];
    if (weir__pipe(pair) < 0)
        return weir__fail_system(errno, "pipe", NULL);
    end[0] = weir__file_new(pair[0], true, "pipe", "pipe");
    end[1] = end[0] ? weir__file_new(pair[1], true, "pipe", "pipe") : NULL;
    if (end[1])
        return 0;

    int before = errno;
    weir__close_quietly(pair[1]);
    if (end[0])
        weir_file_close(end[0]);
    else
        weir__close_quietly(pair[0]);
    end[0] = NULL;
    errno = before;
    return -1;
}

int weir_file_fd(const weir_file *file)
{
    return file->fd;
}

int64_t weir_file_size(weir_file *file)
{
    struct stat status;
    if (!file->regular)
        return weir__fail_system(ESPIPE, "stat", file->name);
    if (weir__system()->fstat(file->fd, &status) < 0)
        return weir__fail_system(errno, "stat", file->name);
    return status.st_size;
}

static int close_on_pool(void *arg)
{
    const struct weir__file_work *work = arg;
    return weir__system()->close(work->fd);
}

/* Closing may write what a remote disk was not yet sent, so its error counts; interrupted, Linux has closed all the same. */
static int close_pooled(struct weir_file *file)
{
    if (!file->owned)
        return 0;
    file->work[WEIR__WRITING] = (struct weir__file_work){.fd = file->fd};
    int result = 0;
    if (weir_offload(close_on_pool, &file->work[WEIR__WRITING], NULL, &result, WEIR_FOREVER) < 0)
        result = weir__system()->close(file->fd); /* no thread to be had: it must be closed even so */
    if (result == 0 || errno == EINTR)
        return 0;
    return weir__fail_system(errno, "close", file->name);
}

static void watch_released(struct weir__watch *watch)
{
    free(weir__list_entry(watch, struct weir_file, watch));
}

static int close_watched(struct weir_file *file)
{
    int result = 0;
    if (file->reopened && file->owned && weir__system()->close(file->fd) < 0 && errno != EINTR)
        result = weir__fail_system(errno, "close", file->name);
    file->watch.released = watch_released;
    weir__watch_close(&file->watch, file->owned || file->reopened);
    return result;
}

int weir_file_close(weir_file *file)
{
    if (!file || file->standard)
        return 0;
    if (!file->pooled)
        return close_watched(file);
    int result = close_pooled(file);
    int number = errno;
    free(file);
    errno = number;
    return result;
}
