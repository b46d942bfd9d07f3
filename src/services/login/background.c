/* Work that is to disturb nobody; see background.h. */
#include "background.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <weir/error.h>

/* Not SCHED_IDLE: where others take all of a machine for long, nobody could log in any more. */
enum { LEAST = 19 };

struct work {
    int (*function)(void *);
    void *arg;
    int result;
};

/*
 * A thread may always make itself less important, but not take that back without privileges: hence one for each piece
 * of work, which costs nothing beside it.
 */
static void *run(void *arg)
{
    struct work *work = arg;
    pthread_setname_np(pthread_self(), "weir-login");
    setpriority(PRIO_PROCESS, 0,
                LEAST); /* of the calling thread alone: see setpriority(2), "C library/kernel differences" */
    work->result = work->function(work->arg);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(pthread_t *thread, struct work *work)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(thread, NULL, run, work);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int background_run(int (*function)(void *arg), void *arg, int *result)
{
    struct work work = {function, arg, -1};
    pthread_t thread;
    int number = start_thread(&thread, &work);
    if (number)
        return weir_fail(WEIR_ERROR_SYSTEM, number, "start", "a thread", NULL);
    pthread_join(thread, NULL);
    *result = work.result;
    return 0;
}
