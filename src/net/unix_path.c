/* The files of Unix sockets: made with their mode, replaced when nobody listens behind them, removed by who made them. */
#include "net/unix_path.h"

#include <errno.h>
#include <string.h>

#include "base/system.h"
#include "net/address.h"

/* The path, with a NUL even where the kernel needs none. False for abstract and unnamed sockets. */
static bool path_of(const weir_address *address, char path[sizeof address->local.sun_path + 1])
{
    const char *name;
    size_t length = weir__local_name(address, &name);
    if (length == 0 || *name == '\0')
        return false;
    memcpy(path, name, length);
    path[length] = '\0';
    return true;
}

/* Fills in which file a path is, if it is a socket's. */
static bool socket_file(const char *path, struct weir__unix_file *file)
{
    struct stat status;
    if (weir__system()->lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;
    *file = (struct weir__unix_file){.device = status.st_dev, .inode = status.st_ino};
    return true;
}

static bool same_file(const struct weir__unix_file *a, const struct weir__unix_file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/*
 * Whether nobody is bound to a socket's file. A datagram socket finds out about every type without disturbing
 * whoever is: a stream socket refuses it for its type (EPROTOTYPE), even before it listens, a datagram socket takes it.
 */
static bool nobody_there(const weir_address *address)
{
    int fd = weir__system()->socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = weir__system()->connect(fd, &address->any, address->length) < 0 && errno == ECONNREFUSED;
    weir__system()->close(fd);
    return refused;
}

/* Removes a file that a server left behind. It is looked at again at the end: another server may have been faster. */
static bool remove_stale(const weir_address *address)
{
    char path[sizeof address->local.sun_path + 1];
    struct weir__unix_file before, now;
    return path_of(address, path) && socket_file(path, &before) && nobody_there(address) && socket_file(path, &now) &&
           same_file(&before, &now) && weir__system()->unlink(path) == 0;
}

static int bind_or_replace(int fd, const weir_address *address)
{
    if (weir__system()->bind(fd, &address->any, address->length) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -1;
    if (remove_stale(address))
        return weir__system()->bind(fd, &address->any, address->length);
    errno = EADDRINUSE;
    return -1;
}

/* The file's mode is the socket's own without what the umask forbids: what is missing is added before anybody listens. */
static int widen(const char *path, mode_t mode)
{
    struct stat status;
    if (weir__system()->lstat(path, &status) < 0)
        return -1;
    return (status.st_mode & 0777) == mode ? 0 : weir__system()->chmod(path, mode);
}

int weir__unix_bind(int fd, const weir_address *address, mode_t mode, struct weir__unix_file *file)
{
    char path[sizeof address->local.sun_path + 1];
    bool in_files = path_of(address, path);
    *file = (struct weir__unix_file){0};
    if (in_files && weir__system()->fchmod(fd, mode) < 0)
        return -1;
    if (bind_or_replace(fd, address) < 0)
        return -1;
    if (!in_files)
        return 0;
    socket_file(path, file);
    if (widen(path, mode) == 0)
        return 0;
    weir__unix_unlink(address, file);
    return -1;
}

void weir__unix_unlink(const weir_address *address, const struct weir__unix_file *file)
{
    char path[sizeof address->local.sun_path + 1];
    struct weir__unix_file now;
    int number = errno;
    if (file->inode != 0 && path_of(address, path) && socket_file(path, &now) && same_file(&now, file))
        weir__system()->unlink(path);
    errno = number;
}
