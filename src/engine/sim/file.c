/* Open files of a host. Each read and write may be short, or find no space or a bad disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/sim/file.h"
#include "engine/sim/vector.h"

/* More than a simulation needs; a write behind it fails as on a full disk. */
enum { LARGEST = 1 << 28, FIRST_ROOM = 512 };

struct file {
    struct weir__sim_object object;
    struct weir__sim_node *node;
    int flags;
    size_t position;
};

static int fail(int number)
{
    errno = number;
    return -1;
}

static size_t perhaps_less(size_t size)
{
    return size > 1 && weir__sim_strikes(WEIR_SIM_SHORT) ? 1 + (size_t)weir__sim_below(size) : size;
}

/* --- reading --- */

/* 0, or -1 and errno: whether this file can be read now. */
static int check_reading(const struct file *file)
{
    if ((file->flags & O_ACCMODE) == O_WRONLY)
        return fail(EBADF);
    if (S_ISDIR(file->node->mode))
        return fail(EISDIR);
    if (weir__sim_strikes_rarely(WEIR_SIM_FILES, 4))
        return fail(EIO);
    return 0;
}

static size_t read_from(const struct weir__sim_node *node, const struct msghdr *message, size_t offset)
{
    size_t size = weir__sim_vector_size(message);
    if (offset >= node->size)
        return 0;
    size = perhaps_less(size < node->size - offset ? size : node->size - offset);
    weir__sim_vector_put(message, 0, node->bytes + offset, size);
    return size;
}

static ssize_t file_receive(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    struct file *file = (struct file *)object;
    (void)flags;
    if (check_reading(file) < 0)
        return -1;
    size_t size = read_from(file->node, message, file->position);
    file->position += size;
    return (ssize_t)size;
}

static ssize_t file_read_at(struct weir__sim_object *object, void *buffer, size_t size, off_t offset)
{
    const struct file *file = (const struct file *)object;
    struct iovec piece = {buffer, size};
    const struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (offset < 0)
        return fail(EINVAL);
    if (check_reading(file) < 0)
        return -1;
    return (ssize_t)read_from(file->node, &message, (size_t)offset);
}

/* --- writing --- */

/* 0, or -1 and errno. */
static int check_writing(const struct file *file)
{
    if ((file->flags & O_ACCMODE) == O_RDONLY)
        return fail(EBADF);
    if (S_ISREG(file->node->mode) && weir__sim_strikes(WEIR_SIM_FILES))
        return fail(weir__sim_below(2) ? ENOSPC : EIO);
    return 0;
}

/* Makes it at least that long; what nobody wrote is zeros. 0, or -1 and errno. */
static int extend(struct weir__sim_node *node, size_t size)
{
    if (size > node->room) {
        size_t room = node->room ? node->room : FIRST_ROOM;
        while (room < size)
            room *= 2;
        unsigned char *bytes = realloc(node->bytes, room);
        if (!bytes)
            return -1;
        node->bytes = bytes;
        node->room = room;
    }
    if (size > node->size) {
        memset(node->bytes + node->size, 0, size - node->size);
        node->size = size;
    }
    return 0;
}

static ssize_t write_to(struct weir__sim_node *node, const struct msghdr *message, size_t offset)
{
    size_t size = weir__sim_vector_size(message);
    if (S_ISCHR(node->mode) || size == 0)
        return (ssize_t)size;
    size = perhaps_less(size);
    if (offset > LARGEST || size > LARGEST - offset)
        return fail(ENOSPC);
    if (extend(node, offset + size) < 0)
        return -1;
    weir__sim_vector_get(message, 0, node->bytes + offset, size);
    if (offset < node->synced)
        node->synced = offset;
    return (ssize_t)size;
}

static ssize_t file_send(struct weir__sim_object *object, const struct msghdr *message, int flags)
{
    struct file *file = (struct file *)object;
    (void)flags;
    if (check_writing(file) < 0)
        return -1;
    if (file->flags & O_APPEND)
        file->position = file->node->size;
    ssize_t size = write_to(file->node, message, file->position);
    if (size > 0)
        file->position += (size_t)size;
    return size;
}

/* As on Linux, O_APPEND wins over the offset (pwrite(2), BUGS). */
static ssize_t file_write_at(struct weir__sim_object *object, const void *data, size_t size, off_t offset)
{
    const struct file *file = (const struct file *)object;
    struct iovec piece = {(void *)(uintptr_t)data, size};
    const struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (offset < 0)
        return fail(EINVAL);
    if (check_writing(file) < 0)
        return -1;
    return write_to(file->node, &message, file->flags & O_APPEND ? file->node->size : (size_t)offset);
}

/* --- the rest --- */

static int file_stat(struct weir__sim_object *object, struct stat *status)
{
    weir__sim_node_stat(((const struct file *)object)->node, status);
    return 0;
}

static unsigned file_ready(struct weir__sim_object *object)
{
    (void)object;
    return POLLIN | POLLOUT;
}

static void file_closed(struct weir__sim_object *object)
{
    struct weir__sim_node *node = ((struct file *)object)->node;
    node->users--;
    weir__sim_node_drop(node);
    weir__sim_object_free(object);
}

static void file_describe(const struct weir__sim_object *object, char *text, size_t size)
{
    const char *path = ((const struct file *)object)->node->path;
    size_t length = strlen(path) < size ? strlen(path) : size - 1;
    memcpy(text, path, length);
    text[length] = '\0';
}

static const struct weir__sim_kind kind = {
    .name = "file",
    .receive = file_receive,
    .send = file_send,
    .read_at = file_read_at,
    .write_at = file_write_at,
    .stat = file_stat,
    .ready = file_ready,
    .closed = file_closed,
    .describe = file_describe,
};

/* 0, or -1 and errno: whether what is there can be opened so. */
static int check_opening(const struct weir__sim_node *node, int flags)
{
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return fail(EEXIST);
    if (S_ISDIR(node->mode) && ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC))))
        return fail(EISDIR);
    if (!S_ISDIR(node->mode) && (flags & O_DIRECTORY))
        return fail(ENOTDIR);
    if (S_ISSOCK(node->mode))
        return fail(ENXIO);
    return 0;
}

/* The node to open, made where that is asked for; NULL and errno. */
static struct weir__sim_node *node_to_open(struct weir_sim_host *host, const char *path, int flags, mode_t mode)
{
    struct weir__sim_node *node = weir__sim_node_find(host, path);
    if (node)
        return check_opening(node, flags) == 0 ? node : NULL;
    if (errno != ENOENT || !(flags & O_CREAT))
        return NULL;
    if (weir__sim_strikes(WEIR_SIM_FILES)) {
        errno = ENOSPC;
        return NULL;
    }
    return weir__sim_node_new(host, path, S_IFREG | (mode & 07777));
}

static struct file *new_file(struct weir__sim_node *node, int flags)
{
    struct file *file = weir__sim_object_new(&kind, sizeof *file, node->host);
    if (!file)
        return NULL;
    file->node = node;
    file->flags = flags;
    node->users++;
    return file;
}

/* As on Linux a descriptor is looked for first: where there is none, no file is made. */
int weir__sim_file_open(const char *path, int flags, mode_t mode)
{
    if (weir__sim_no_descriptor() < 0)
        return -1;
    struct weir__sim_node *node = node_to_open(weir__sim_host(), path, flags, mode);
    struct file *file = node ? new_file(node, flags) : NULL;
    if (!file)
        return -1;
    int fd = weir__sim_open(&file->object, flags & O_NONBLOCK);
    if (fd >= 0 && (flags & O_TRUNC) && S_ISREG(node->mode))
        node->size = node->synced = 0;
    if (fd >= 0)
        return fd;
    int number = errno;
    file_closed(&file->object);
    errno = number;
    return -1;
}

/* --- system calls of open files --- */

int weir__sim_fchmod(int fd, mode_t mode)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    if (object->kind == &kind) {
        struct weir__sim_node *node = ((struct file *)object)->node;
        node->mode = (node->mode & S_IFMT) | (mode & 07777);
    }
    object->mode = mode & 07777;
    return 0;
}

int weir__sim_fdatasync(int fd)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    struct weir__sim_node *node = object->kind == &kind ? ((struct file *)object)->node : NULL;
    if (!node || !(S_ISREG(node->mode) || S_ISDIR(node->mode)))
        return fail(EINVAL);
    if (weir__sim_strikes(WEIR_SIM_FILES))
        return fail(EIO);
    node->synced = node->size;
    return 0;
}
