/* Files, pipes and terminals, read and written without holding up the loop. */
#ifndef WEIR_FILE_H
#define WEIR_FILE_H

#include <fcntl.h>
#include <weir/api.h>

WEIR_BEGIN

typedef struct weir_file weir_file;

/* Opens a file as open(2), on the pool; O_CLOEXEC is added. Parks. Returns NULL with open(2)'s errors; the sentence names the path. */
WEIR_API weir_file *weir_file_open(const char *path, int flags, mode_t mode);

/*
 * Makes a file of an open descriptor: a regular file, a pipe, a terminal, /dev/null. Its flags are left as they are, since
 * others may share them (a shell its terminal). `owned`: weir_file_close closes the descriptor too.
 * Returns NULL with EBADF or ENOMEM.
 */
WEIR_API weir_file *weir_file_adopt(int fd, bool owned);

/* Standard input, output and error, which live as long as the process. Reading a closed one is an end, writing to it EBADF. */
WEIR_API weir_file *weir_stdin(void);
WEIR_API weir_file *weir_stdout(void);
WEIR_API weir_file *weir_stderr(void);

/*
 * One reader and one writer may use a file at a time, from whichever fibers and threads; a second of a kind gets EBUSY.
 *
 * Reads at most `size` bytes, what is there. Parks: pipes and terminals as sockets do, regular files on the pool, where once
 * begun neither a deadline nor a cancel cuts it short. 0 at the end; -1 with ETIMEDOUT, ECANCELED, EBUSY, read(2)'s.
 */
WEIR_API ssize_t weir_file_read(weir_file *file, void *buffer, size_t size, int64_t deadline);

/* Writes all of it. Parks likewise. 0; or -1 with EPIPE (no SIGPIPE), ENOSPC, ..., and `transferred` tells how much went. */
WEIR_API int weir_file_write_all(weir_file *file, const void *data, size_t size, int64_t deadline);

/* Reads and writes of a regular file at an offset, without moving its position. As above; weir_file_read_at may return less than `size` only at the end. */
WEIR_API ssize_t weir_file_read_at(weir_file *file, void *buffer, size_t size, int64_t offset);
WEIR_API int weir_file_write_at(weir_file *file, const void *data, size_t size, int64_t offset);

/* The size of a regular file in bytes; -1 with ESPIPE for others. */
WEIR_API int64_t weir_file_size(weir_file *file);

/* Brings what was written to the disk (fdatasync(2)), on the pool. Parks. 0 or -1. */
WEIR_API int weir_file_sync(weir_file *file);

/* The descriptor; it stays the file's. */
WEIR_API int weir_file_fd(const weir_file *file);

/* Whether it is a terminal: the only place for colour and progress. */
WEIR_API bool weir_file_is_terminal(const weir_file *file);

/* The width of a terminal in columns; 80 where that is not known. */
WEIR_API int weir_file_columns(const weir_file *file);

/* Wakes whoever waits in it, with ECANCELED. Any thread. */
WEIR_API void weir_file_cancel(weir_file *file);

/* Closes (if owned) and frees. NULL is fine, and the standard files are left as they are. 0, or -1 with close(2)'s error: EIO, ENOSPC, EDQUOT. */
WEIR_API int weir_file_close(weir_file *file);

/* A pipe: what is written to end[1] is read from end[0]. 0 or -1. */
WEIR_API int weir_pipe(weir_file *end[2]);

WEIR_END

#endif
