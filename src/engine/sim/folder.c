/* The tree of a host's files: a flat list of paths, in which parents need not exist. Its folders are always there. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/file.h"

enum { FORBIDDEN = 0022 }; /* the umask */

struct weir__sim_files {
    struct weir__list nodes;
    uint64_t inodes;
};

static int fail(int number)
{
    errno = number;
    return -1;
}

/* --- nodes --- */

/* Every process of these hosts is in "/": a path without one begins there. */
static const char *without_root(const char *path)
{
    while (*path == '/' || (path[0] == '.' && path[1] == '/'))
        path++;
    return path;
}

static struct weir__sim_node *add(struct weir__sim_files *files, struct weir_sim_host *host, const char *path,
                                  mode_t mode)
{
    path = without_root(path);
    size_t length = strlen(path);
    if (length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    struct weir__sim_node *node = calloc(1, sizeof *node + length + 2);
    if (!node)
        return NULL;
    node->host = host;
    node->inode = ++files->inodes;
    node->mode = mode;
    node->path[0] = '/';
    memcpy(node->path + 1, path, length);
    weir__list_push_back(&files->nodes, &node->link);
    return node;
}

static void free_node(struct weir__sim_node *node)
{
    weir__list_remove(&node->link);
    free(node->bytes);
    free(node);
}

/* NULL with ENOMEM. */
static struct weir__sim_files *files_of(struct weir_sim_host *host)
{
    static const struct {
        const char *path;
        mode_t mode;
    } always[] = {
        {"/", S_IFDIR | 0755}, {"/tmp", S_IFDIR | 01777}, {"/run", S_IFDIR | 0755}, {"/dev/null", S_IFCHR | 0666}};
    if (host->files)
        return host->files;
    struct weir__sim_files *files = calloc(1, sizeof *files);
    if (!files)
        return NULL;
    weir__list_init(&files->nodes);
    host->files = files;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!add(files, host, always[i].path, always[i].mode)) {
            weir__sim_files_free(host);
            return NULL;
        }
    return files;
}

struct weir__sim_node *weir__sim_node_find(struct weir_sim_host *host, const char *path)
{
    struct weir__sim_files *files = host ? files_of(host) : NULL;
    struct weir__list *link;
    const char *wanted = without_root(path);
    if (!files) {
        errno = host ? ENOMEM : ENOENT;
        return NULL;
    }
    weir__list_each(link, &files->nodes)
    {
        struct weir__sim_node *node = weir__list_entry(link, struct weir__sim_node, link);
        if (strcmp(node->path + 1, wanted) == 0)
            return node;
    }
    errno = ENOENT;
    return NULL;
}

struct weir__sim_node *weir__sim_node_new(struct weir_sim_host *host, const char *path, mode_t mode)
{
    struct weir__sim_files *files = host ? files_of(host) : NULL;
    return files ? add(files, host, path, mode & ~(mode_t)FORBIDDEN) : NULL;
}

void weir__sim_node_drop(struct weir__sim_node *node)
{
    if (!node->users && weir__list_empty(&node->link))
        free_node(node);
}

void weir__sim_node_stat(const struct weir__sim_node *node, struct stat *status)
{
    *status = (struct stat){
        .st_dev = node->host->number,
        .st_ino = node->inode,
        .st_mode = node->mode,
        .st_nlink = weir__list_empty(&node->link) ? 0 : 1,
        .st_size = (off_t)node->size,
        .st_blksize = 4096,
        .st_blocks = (blkcnt_t)((node->size + 511) / 512),
    };
}

/* What an open file still needs goes when it is closed. */
void weir__sim_files_free(struct weir_sim_host *host)
{
    struct weir__list *link;
    if (!host->files)
        return;
    while ((link = weir__list_pop_front(&host->files->nodes)))
        weir__sim_node_drop(weir__list_entry(link, struct weir__sim_node, link));
    free(host->files);
    host->files = NULL;
}

/* --- killing --- */

/* What was not synced may be lost, from any byte on. */
static void lose_some(struct weir__sim_node *node)
{
    if (node->size <= node->synced || !weir__sim_strikes(WEIR_SIM_FILES))
        return;
    node->size = node->synced + (size_t)weir__sim_below(node->size - node->synced + 1);
    weir__sim_trace_text("lost the end of", node->path);
}

void weir__sim_files_killed(struct weir_sim_host *host)
{
    struct weir__list *link;
    if (!host->files)
        return;
    weir__list_each(link, &host->files->nodes)
    {
        struct weir__sim_node *node = weir__list_entry(link, struct weir__sim_node, link);
        lose_some(node);
        node->synced = node->size;
    }
}

/* --- system calls of paths --- */

int weir__sim_lstat(const char *path, struct stat *status)
{
    const struct weir__sim_node *node = weir__sim_node_find(weir__sim_host(), path);
    if (!node)
        return -1;
    weir__sim_node_stat(node, status);
    return 0;
}

int weir__sim_unlink(const char *path)
{
    struct weir__sim_node *node = weir__sim_node_find(weir__sim_host(), path);
    if (!node)
        return -1;
    if (S_ISDIR(node->mode))
        return fail(EISDIR);
    weir__list_remove(&node->link);
    weir__sim_node_drop(node);
    return 0;
}

int weir__sim_chmod(const char *path, mode_t mode)
{
    struct weir__sim_node *node = weir__sim_node_find(weir__sim_host(), path);
    if (!node)
        return -1;
    node->mode = (node->mode & S_IFMT) | (mode & 07777);
    return 0;
}

/* Folders are always there. */
int weir__sim_mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return 0;
}

int weir__sim_rmdir(const char *path)
{
    (void)path;
    return 0;
}

/* What is read by other processes has no readers here. */
int weir__sim_mkfifo(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return fail(ENOSYS);
}

/* --- the nodes of Unix sockets --- */

int weir__sim_files_bind(struct weir_sim_host *host, const char *path, struct weir__sim_object *object)
{
    if (weir__sim_node_find(host, path))
        return fail(EADDRINUSE);
    struct weir__sim_node *node = weir__sim_node_new(host, path, S_IFSOCK | (object->mode ? object->mode : 0777));
    if (!node)
        return -1;
    node->socket = object;
    return 0;
}

struct weir__sim_object *weir__sim_files_socket(struct weir_sim_host *host, const char *path)
{
    const struct weir__sim_node *node = weir__sim_node_find(host, path);
    if (!node)
        return NULL;
    if (!node->socket)
        errno = ECONNREFUSED;
    return node->socket;
}

void weir__sim_files_forget(struct weir_sim_host *host, struct weir__sim_object *object)
{
    struct weir__list *link;
    if (!host->files)
        return;
    weir__list_each(link, &host->files->nodes)
    {
        struct weir__sim_node *node = weir__list_entry(link, struct weir__sim_node, link);
        if (node->socket == object)
            node->socket = NULL;
    }
}
