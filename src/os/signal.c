/* Signals as something to wait for, and their names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <weir/signal.h>

#include "base/error.h"
#include "base/list.h"
#include "base/text.h"
#include "engine/engine.h"
#include "os/original.h"

struct weir_signals {
    struct weir__watch watch; /* of the signalfd, which is nobody else's and does not block */
    sigset_t before;          /* the mask of the thread that made it */
    atomic_flag waiting;      /* somebody is in weir_signals_wait */
};

/* 0, or -1 with EINVAL: what is no signal, or cannot be blocked, would never come. */
static int make_set(sigset_t *set, const int *signals, size_t count)
{
    sigemptyset(set);
    for (size_t index = 0; index < count; index++) {
        int number = signals[index];
        if (number == SIGKILL || number == SIGSTOP || sigaddset(set, number) < 0)
            return weir_fail(WEIR_ERROR_USAGE, EINVAL, "signal", weir_signal_name(number), "cannot be waited for");
    }
    return 0;
}

/* Blocks them first: what comes in between is pending, and read. 0, or -1 with an error and nothing changed. */
static int begin(weir_signals *signals, const sigset_t *set)
{
    weir__original_note();
    if (weir__system()->thread_mask(SIG_BLOCK, set, &signals->before) < 0)
        return weir__fail_system(errno, "signal", NULL);
    int fd = weir__system()->signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0) {
        weir__watch_init(&signals->watch, fd);
        return 0;
    }
    int number = errno;
    weir__system()->thread_mask(SIG_SETMASK, &signals->before, NULL);
    return weir__fail_system(number, "signal", NULL);
}

weir_signals *weir_signals_new(const int *signals, size_t count)
{
    sigset_t set;
    if (make_set(&set, signals, count) < 0)
        return NULL;
    weir_signals *made = calloc(1, sizeof *made);
    if (!made) {
        weir__fail_memory("signal");
        return NULL;
    }
    if (begin(made, &set) == 0)
        return made;
    int before = errno;
    free(made);
    errno = before;
    return NULL;
}

static int wait_ready(weir_signals *signals, int64_t deadline)
{
    weir__watch_clear(&signals->watch, WEIR__READABLE);
    if (weir__watch_wait(&signals->watch, WEIR__READABLE, deadline, NULL, NULL) == 0)
        return 0;
    if (errno == ETIMEDOUT)
        return weir__fail_deadline("signal", NULL);
    if (errno == ECANCELED)
        return weir__fail_cancelled("signal", NULL);
    return weir__fail_system(errno, "signal", NULL);
}

static int take_one(weir_signals *signals, int64_t deadline)
{
    struct signalfd_siginfo info;
    while (weir__system()->read(signals->watch.fd, &info, sizeof info) != (ssize_t)sizeof info) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return weir__fail_system(errno, "signal", NULL);
        if (wait_ready(signals, deadline) < 0)
            return -1;
    }
    return (int)info.ssi_signo;
}

int weir_signals_wait(weir_signals *signals, int64_t deadline)
{
    if (atomic_flag_test_and_set(&signals->waiting))
        return weir__fail_busy("signal", NULL);
    int number = take_one(signals, deadline);
    atomic_flag_clear(&signals->waiting);
    return number;
}

static void watch_released(struct weir__watch *watch)
{
    free(weir__list_entry(watch, weir_signals, watch));
}

void weir_signals_free(weir_signals *signals)
{
    if (!signals)
        return;
    weir__system()->thread_mask(SIG_SETMASK, &signals->before, NULL);
    signals->watch.released = watch_released;
    weir__watch_close(&signals->watch, true);
}

const char *weir_signal_name(int signal)
{
    static _Thread_local char name[32];
    struct weir__text text = weir__text(name, sizeof name);
    const char *abbreviation = sigabbrev_np(signal);
    if (abbreviation) {
        weir__text_put(&text, "SIG");
        weir__text_put(&text, abbreviation);
        return name;
    }
    weir__text_put(&text, signal < 0 ? "signal -" : "signal ");
    weir__text_put_number(&text, signal < 0 ? 0 - (uint64_t)signal : (uint64_t)signal);
    return name;
}
