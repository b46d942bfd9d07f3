/* Signals as something to wait for, by signalfd: nothing runs in a signal handler. */
#ifndef WEIR_SIGNAL_H
#define WEIR_SIGNAL_H

#include <signal.h>
#include <weir/api.h>

WEIR_BEGIN

typedef struct weir_signals weir_signals;

/*
 * Blocks the `count` signals in the calling thread (and those that it starts from now on) and has them queued for
 * weir_signals_wait. Call it before other threads start. Returns NULL with EINVAL, EMFILE, ENOMEM.
 */
WEIR_API weir_signals *weir_signals_new(const int *signals, size_t count);

/* Waits for one. Parks. Returns its number, or -1 with ETIMEDOUT, ECANCELED, EBUSY. */
WEIR_API int weir_signals_wait(weir_signals *signals, int64_t deadline);

/* Frees it and gives the calling thread the mask that it had. NULL is fine. */
WEIR_API void weir_signals_free(weir_signals *signals);

/* A signal's name: "SIGTERM"; "signal 99" for one without. Valid until the thread's next call. */
WEIR_API const char *weir_signal_name(int signal);

WEIR_END

#endif
