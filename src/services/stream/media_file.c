/* A file of the media, opened so that no link and no name leads out of the folder that was named. */
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "media_inside.h"

static int open_resolved(int folder, const char *name, int flags)
{
    struct open_how how = {
        .flags = (unsigned)flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd;
    do
        fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* something was renamed meanwhile */
    return fd;
}

/* Where an open descriptor leads to; its length, or 0. */
static size_t real_name(int fd, char *name, size_t size)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, size - 1);
    name[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

/* Where the kernel has no openat2, or a filter does not know it: opened, then it is looked where that led to. */
static int open_and_look(int folder, const char *name, int flags)
{
    char root[4096], path[4096];
    int fd = openat(folder, name, flags | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t length = real_name(folder, root, sizeof root);
    while (length > 0 && root[length - 1] == '/')
        length--;
    if (real_name(fd, path, sizeof path) > length && strncmp(root, path, length) == 0 && path[length] == '/')
        return fd;
    close(fd);
    errno = EXDEV;
    return -1;
}

int media_open_beneath(int folder, const char *name, int flags)
{
    int fd = open_resolved(folder, name, flags);
    bool is_refused = fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL);
    return is_refused ? open_and_look(folder, name, flags) : fd;
}

/* --- on the pool --- */

struct opening {
    const struct media_file *file;
    int fd;
    struct media_trouble trouble;
};

static const char *name_below(const struct media_file *file)
{
    const char *name = file->path + strlen(file->root);
    return name + strspn(name, "/");
}

/* What is no file now may have been one: a pipe is not waited for. */
static int open_file(void *arg)
{
    struct opening *opening = arg;
    const struct media_file *file = opening->file;
    struct stat status;
    int folder = open(file->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        opening->fd = media_open_beneath(folder, name_below(file), O_RDONLY | O_NONBLOCK | O_NOCTTY);
        int number = errno;
        close(folder);
        errno = number;
    }
    if (opening->fd < 0)
        return media_trouble(&opening->trouble, WEIR_ERROR_SYSTEM, errno, file->path,
                             errno == EXDEV ? "it leads out of its folder" : NULL);
    if (fstat(opening->fd, &status) == 0 && S_ISREG(status.st_mode))
        return 0;
    close(opening->fd);
    return media_trouble(&opening->trouble, WEIR_ERROR_SYSTEM, EINVAL, file->path, "it is no regular file");
}

weir_file *media_open_file(const struct media_file *file)
{
    struct opening opening = {.file = file, .fd = -1};
    int result = -1;
    if (weir_offload(open_file, &opening, NULL, &result, WEIR_FOREVER) < 0)
        return NULL;
    if (result < 0) {
        media_fail(&opening.trouble, "open");
        return NULL;
    }
    weir_file *opened = weir_file_adopt(opening.fd, true);
    if (!opened)
        close(opening.fd);
    return opened;
}
