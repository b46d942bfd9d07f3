/* Errors as the library sets them; the public side is weir/error.h. */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <weir/error.h>

/* The record behind weir_error(): one a fiber and one a thread, allocated at its first error. */
struct weir__error;

/*
 * Where the record of the caller is kept. The engine puts its own function here, which knows fibers; until then, and in
 * threads without a loop, it is weir__error_thread_place.
 */
extern struct weir__error **(*_Atomic weir__error_place)(void);

/* The place of the calling thread, whose record is freed when the thread ends. Never NULL. */
struct weir__error **weir__error_thread_place(void);

/* Frees a record, as the engine does when a fiber ends; NULL is fine. */
void weir__error_free(struct weir__error *error);

/* Sets how many bytes (or datagrams) the failed call had moved; call it after weir_fail. Returns -1. */
int weir__error_transferred(uint64_t transferred);

/* The kind of a system's error, see weir__fail_system. */
weir_error_kind weir__error_kind_of(int number, const char *step);

/*
 * As weir_fail with the system's text of `number` for a reason, and the kind that fits the number and the step
 * ("connect", "bind" and "listen" have kinds of their own; ETIMEDOUT from the kernel is CONNECT or CLOSED, never
 * DEADLINE). Returns -1.
 */
int weir__fail_system(int number, const char *step, const char *subject);

/* The sentences of the library's own time-outs and cancels. Return -1. */
int weir__fail_deadline(const char *step, const char *subject);
int weir__fail_cancelled(const char *step, const char *subject);
int weir__fail_busy(const char *step, const char *subject);
int weir__fail_memory(const char *step);

#endif
