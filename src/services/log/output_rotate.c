/* Files that have grown; see output_rotate.h. */
#include "output_rotate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <weir/weir.h>

struct rotation {
    const char *path;
    int64_t keep;
    int fd;
};

/* Several processes may write to the file, and find at the same time that it has grown. */
static bool is_current(const struct rotation *rotation)
{
    struct stat there, ours;
    return stat(rotation->path, &there) == 0 && fstat(rotation->fd, &ours) == 0 && there.st_dev == ours.st_dev &&
           there.st_ino == ours.st_ino;
}

/* PATH.NUMBER, or PATH for 0. */
static const char *numbered(const struct rotation *rotation, int64_t number, char *name, size_t size)
{
    if (number == 0)
        return rotation->path;
    snprintf(name, size, "%s.%lld", rotation->path, (long long)number);
    return name;
}

static int move_one(const struct rotation *rotation, int64_t number)
{
    char from[PATH_MAX + 32], to[PATH_MAX + 32];
    const char *old = numbered(rotation, number, from, sizeof from);
    if (rename(old, numbered(rotation, number + 1, to, sizeof to)) == 0 || errno == ENOENT)
        return 0;
    return -1;
}

static int move_all(const struct rotation *rotation)
{
    for (int64_t number = rotation->keep - 1; number >= 0; number--)
        if (move_one(rotation, number) < 0)
            return -1;
    return 0;
}

/* The lock is the open file's, and goes when it is closed; a file that could not be moved stays open, and others wait for the lock. */
static int rotate_on_pool(void *arg)
{
    const struct rotation *rotation = arg;
    if (flock(rotation->fd, LOCK_EX) < 0)
        return -1;
    if (!is_current(rotation) || move_all(rotation) == 0)
        return 0;
    int number = errno;
    flock(rotation->fd, LOCK_UN);
    errno = number;
    return -1;
}

int output_rotate(const char *path, int64_t keep, int fd)
{
    struct rotation rotation = {path, keep, fd};
    int result = 0;
    if (weir_offload(rotate_on_pool, &rotation, NULL, &result, WEIR_FOREVER) < 0)
        return -1;
    return result < 0 ? weir_fail(WEIR_ERROR_SYSTEM, errno, "rotate", path, NULL) : 0;
}
