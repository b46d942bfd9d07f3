/* Files that have grown; see output_rotate.h. */
#include "output_rotate.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <weir/weir.h>

enum { TRIES = 100, PAUSE_MS = 10 };

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

/* Others of --processes have it for a moment only. But whoever may read the file can lock it, and is not waited for. */
static int lock(int fd)
{
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno != EWOULDBLOCK || tries == TRIES)
            return -1;
        poll(NULL, 0, PAUSE_MS);
    }
    return 0;
}

/* The lock is the open file's, and goes when it is closed; a file that could not be moved stays open, while others wait. */
static int rotate_on_pool(void *arg)
{
    const struct rotation *rotation = arg;
    if (lock(rotation->fd) < 0)
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
    if (result == 0)
        return 0;
    const char *reason = errno == EWOULDBLOCK ? "another program has locked it" : NULL;
    return weir_fail(WEIR_ERROR_SYSTEM, errno, "rotate", path, reason ? "%s" : NULL, reason);
}
