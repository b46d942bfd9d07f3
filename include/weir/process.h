/* Child processes with pipes, waited for by pidfd, so that SIGCHLD stays the program's. */
#ifndef WEIR_PROCESS_H
#define WEIR_PROCESS_H

#include <weir/file.h>

WEIR_BEGIN

typedef struct weir_process weir_process;

/* What a child's descriptor is to be. */
typedef enum weir_stdio {
    WEIR_STDIO_INHERIT,
    WEIR_STDIO_NULL, /* /dev/null */
    WEIR_STDIO_PIPE, /* a pipe, whose other end is weir_process_file's */
    WEIR_STDIO_FD,   /* the descriptor named beside it */
} weir_stdio;

typedef struct weir_process_options {
    size_t size;
    weir_stdio input, output, error;
    int input_fd, output_fd, error_fd; /* for WEIR_STDIO_FD; they stay the caller's */
    const char *const *environment;    /* "NAME=value"s added to (or replacing in) the program's own; NULL-terminated */
    const char *directory;             /* to run in */
    bool new_group;                    /* its own process group, which weir_process_kill then reaches whole */
    bool die_with_parent;              /* killed when the thread that started it ends */
    bool end_group;      /* its own process group too, of which what is left when it has ended is killed (SIGKILL) */
    const char *program; /* what is executed where that is not argv[0] */
} weir_process_options;

/*
 * Starts argv[0] (looked up in the PATH of the child's environment) without a shell. The child has the signal mask and the
 * descriptor limit that the program itself was started with, SIGPIPE at its default, and no descriptor beyond its three.
 * Parks. Returns NULL with ENOENT, EACCES and execve(2)'s others (the child is then already gone), EAGAIN, ENOMEM, EMFILE.
 */
WEIR_API weir_process *weir_process_start(const char *const *argv, const weir_process_options *options);

/* Its process id, which is no other process's until it has been waited for. */
WEIR_API pid_t weir_process_id(const weir_process *process);

/* The program's end of a pipe to the child's descriptor 0, 1 or 2; NULL where there is none. It stays the process'. */
WEIR_API weir_file *weir_process_file(weir_process *process, int descriptor);

/* Closes the program's end of that pipe, so that the child reads an end. */
WEIR_API void weir_process_close_file(weir_process *process, int descriptor);

/*
 * Waits for its end. Parks. 0, with *status (may be NULL) as waitpid(2) gives it; or -1 with ETIMEDOUT, ECANCELED, EBUSY
 * (somebody else is waiting), ECHILD (it has ended, but its status is lost: the program ignores SIGCHLD, or waits for every child).
 * May be called again after it.
 */
WEIR_API int weir_process_wait(weir_process *process, int *status, int64_t deadline);

/* Sends a signal to it, or to its group if it has its own. 0, also when it has ended already; or -1. */
WEIR_API int weir_process_kill(weir_process *process, int signal);

/*
 * Closes its pipes, kills it (SIGKILL, with its group) if it still runs, reaps and frees it. One that may not be killed (it has
 * become another user's) is left to itself. NULL is fine.
 */
WEIR_API void weir_process_free(weir_process *process);

WEIR_END

#endif
