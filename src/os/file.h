/*
 * Files as this floor has them inside.
 *
 * There are two kinds. What is always ready as far as poll(2) knows, but may keep a thread waiting for a disk, is read and
 * written on the pool: regular files, directories, block devices. All else waits to be ready by a watch.
 *
 * The flags of the open file description are never changed, since others may share it. So each read and write asks not to
 * wait by RWF_NOWAIT; a terminal, which cannot be asked so, is opened a second time without blocking, through /proc; where
 * that fails too (pipes before Linux 6.4, other devices), poll(2) tells whether a read or a small write would wait.
 */
#ifndef WEIR_OS_FILE_H
#define WEIR_OS_FILE_H

#include <sys/stat.h>
#include <weir/file.h>

#include "engine/engine.h"

/* The two things that may go on in a file at once; also the index of their slot in the watch. */
enum weir__direction { WEIR__READING, WEIR__WRITING };

/* What is handed to the pool: in the file, since the stack of a fiber that waits is no place for it. */
struct weir__file_work {
    int fd;
    char *data;
    size_t size;
    off_t offset;
    size_t done; /* how far it got, also where it failed */
};

struct weir_file {
    struct weir__watch watch; /* of a descriptor of its own if `reopened`, else of `fd` */
    int fd;                   /* -1: a standard descriptor that the program was started without */
    bool owned;               /* closed with the file */
    bool standard;            /* weir_stdin and the like, which are never closed */
    bool pooled;              /* of the kind that is read and written on the pool */
    bool regular;
    bool pipe;
    bool terminal;
    bool reopened;
    bool refuses_nowait[2];   /* RWF_NOWAIT, in a direction; known only once it was tried */
    _Atomic uint8_t calls[2]; /* a direction's call in progress: see weir__file_enter */
    struct weir__file_work work[2];
    const char *name; /* for errors; allocated with the file, or a constant */
};

/* Fills a file for a descriptor that fstat(2) says `status` of. The file keeps `name`. */
void weir__file_init(struct weir_file *file, int fd, const struct stat *status, const char *name);

/* Makes a file, which then owns `fd` if `owned`; `name` is copied. NULL with ENOMEM or EBADF; `fd` is then still the caller's. */
struct weir_file *weir__file_new(int fd, bool owned, const char *name, const char *step);

/* Begins a call, of which there is one a direction at a time. 0, or -1 with EBUSY. weir__file_leave ends it. */
int weir__file_enter(struct weir_file *file, enum weir__direction direction, const char *step);
void weir__file_leave(struct weir_file *file, enum weir__direction direction);

/* Waits until a read or write may go on. 0, or -1 with an error that has its sentence. */
int weir__file_wait(struct weir_file *file, enum weir__direction direction, int64_t deadline);

/* Whether weir_file_cancel was called since the direction's call began. */
bool weir__file_cancelled(const struct weir_file *file, enum weir__direction direction);

/*
 * Between enter and leave, of a file that is not pooled: one read or write that does not hold up the loop. As read(2) and
 * write(2); EAGAIN where it would have to wait.
 */
ssize_t weir__file_try_read(struct weir_file *file, void *buffer, size_t size);
ssize_t weir__file_try_write(struct weir_file *file, const void *data, size_t size);

/* The same of one that is pooled: a read, a write of all of it; *done is how much went. Park. -1 with an error that has its sentence. */
ssize_t weir__file_read_pooled(struct weir_file *file, void *buffer, size_t size);
int weir__file_write_pooled(struct weir_file *file, const void *data, size_t size, size_t *done);

/* Whether poll(2) says that the direction is ready, or has ended. */
bool weir__file_ready(struct weir_file *file, enum weir__direction direction);

/*
 * Runs function(&file->work[direction]) on the pool and waits for its end, whatever happens: it uses the caller's memory. In
 * a fiber that is cancelled already it is not begun. 0, or -1 with an error; `done` tells how far it got in either case.
 */
int weir__file_on_pool(struct weir_file *file, enum weir__direction direction, int (*function)(void *work),
                       const char *step);

/* Whether `fd` is a terminal; and a descriptor of its own for it that does not block, or -1 where there can be none. */
bool weir__is_terminal(int fd);
int weir__terminal_reopen(int fd);

#endif
