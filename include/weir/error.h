/* Errors: -1 (or NULL) and errno as in POSIX, and beside errno a kind, a step and a sentence for people. */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <weir/api.h>

WEIR_BEGIN

/* What went wrong, in kinds that a program may want to treat apart. */
typedef enum weir_error_kind {
    WEIR_ERROR_NONE,
    WEIR_ERROR_SYSTEM,    /* the operating system refused, errno says how */
    WEIR_ERROR_USAGE,     /* the caller asked for what makes no sense: a malformed endpoint, a bad option */
    WEIR_ERROR_RESOLVE,   /* a host name has no address */
    WEIR_ERROR_CONNECT,   /* no connection could be made */
    WEIR_ERROR_LISTEN,    /* a server's address could not be taken */
    WEIR_ERROR_DEADLINE,  /* the deadline or timeout that the caller set has passed; errno is ETIMEDOUT */
    WEIR_ERROR_CANCELLED, /* somebody cancelled the call or the fiber; errno is ECANCELED */
    WEIR_ERROR_CLOSED,    /* the connection was cut: reset, aborted, or ended in the middle of something */
    WEIR_ERROR_BUSY,      /* another fiber or thread is in the same call on the same object; errno is EBUSY */
    WEIR_ERROR_LIMIT,     /* a bound that protects this program was reached: a line too long, too many fibers */
    WEIR_ERROR_MEMORY,    /* no memory; errno is ENOMEM */
    WEIR_ERROR_TLS,
    WEIR_ERROR_PROXY,
    WEIR_ERROR_SSH,
} weir_error_kind;

/* The last error of a fiber or thread. It and its strings stay valid until the next error there. */
typedef struct weir_error_info {
    weir_error_kind kind;
    int number;           /* the errno that was set with it */
    const char *step;     /* what was being done, one word: "resolve", "connect", "bind", "recv" */
    const char *subject;  /* what it was done to, as the user wrote it: an endpoint or a file name; "" where none */
    const char *reason;   /* why it failed: "connection refused" */
    const char *sentence; /* the three in one line: "connect tcp://localhost:9: connection refused" */
    uint64_t transferred; /* bytes that weir_send_all, weir_copy and the like moved before they failed */
} weir_error_info;

/*
 * The last error in the calling fiber, or in the calling thread outside of fibers. Never NULL; kind NONE before
 * the first. As errno, it is set when a call fails and left alone when one succeeds. Does not park.
 */
WEIR_API const weir_error_info *weir_error(void);

/*
 * Sets errno and the error of the calling fiber or thread, for services and handlers that report as the library does.
 * The reason is formatted as by printf; a NULL format stands for the system's text of `number`. Step and subject may
 * be "" or NULL; all may be strings of weir_error(). A step is cut at 31 bytes, a subject at 400, a reason at 300.
 * Returns -1, so that `return weir_fail(...)` reads well.
 */
WEIR_API int weir_fail(weir_error_kind kind, int number, const char *step, const char *subject, const char *format, ...)
    WEIR_PRINTF(5, 6);

/* A kind's name in one lower-case word, as counters and JSON logs show it: "deadline". Never NULL. */
WEIR_API const char *weir_error_kind_name(weir_error_kind kind);

/* The exit status that the program's conventions give an error: 1 network, 2 usage, 3 deadline, 4 closed early, by ssh too. */
WEIR_API int weir_error_exit_status(const weir_error_info *error);

WEIR_END

#endif
