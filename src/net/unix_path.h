/* The files of Unix sockets: made with their mode, replaced when nobody listens behind them, removed by who made them. */
#ifndef WEIR_NET_UNIX_PATH_H
#define WEIR_NET_UNIX_PATH_H

#include <sys/stat.h>
#include <weir/endpoint.h>

/* Which file a socket has: a path may be another's by now. inode 0: none. */
struct weir__unix_file {
    dev_t device;
    ino_t inode;
};

/*
 * Binds a Unix socket; its file has `mode` from the beginning on. A socket's file behind which nobody is bound is
 * replaced. 0, or -1 and errno, EADDRINUSE if somebody is there or it is no socket; an abstract socket has no file.
 */
int weir__unix_bind(int fd, const weir_address *address, mode_t mode, struct weir__unix_file *file);

/* Removes the file of a path, if it still is this one. Keeps errno. */
void weir__unix_unlink(const weir_address *address, const struct weir__unix_file *file);

#endif
