/* Turns at an output among processes; see output_turns.h. */
#include "output_turns.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/weir.h>

#include "../shared_lock.h"

/* Between two tries: a fiber must not block its loop. */
#define PAUSE WEIR_MS(1)

/* Mapped. */
struct turns {
    pthread_mutex_t lock;
    pid_t within; /* under the lock: the process within whose line the output ends; 0: none */
};

struct turns *turns_new(void)
{
    struct turns *turns = mmap(NULL, sizeof *turns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (turns != MAP_FAILED && shared_lock_make(&turns->lock) == 0)
        return turns;
    if (turns != MAP_FAILED)
        munmap(turns, sizeof *turns);
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "log", NULL);
    return NULL;
}

void turns_free(struct turns *turns)
{
    if (turns)
        munmap(turns, sizeof *turns);
}

int turns_take(struct turns *turns, int64_t deadline)
{
    while (!shared_lock_try(&turns->lock)) {
        if (weir_now() >= deadline)
            return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "write", "stdout", NULL);
        if (weir_sleep(PAUSE) < 0)
            return weir_fail(WEIR_ERROR_CANCELLED, ECANCELED, "write", "stdout", NULL);
    }
    return 0;
}

void turns_give(struct turns *turns)
{
    pthread_mutex_unlock(&turns->lock);
}

enum turns_line turns_line(const struct turns *turns)
{
    if (!turns->within)
        return TURNS_NO_LINE;
    return turns->within == getpid() ? TURNS_OWN_LINE : TURNS_OTHERS_LINE;
}

void turns_set_line(struct turns *turns, bool within_own)
{
    turns->within = within_own ? getpid() : 0;
}
