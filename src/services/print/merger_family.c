/*
 * The output of a merger among processes, who write to the same stdout: one of them at a time, and none goes on below a line
 * that another has begun before its pause is over.
 *
 * The lock is held while a sender writes, and given back by the kernel when its process is killed. Whoever waits for it tries
 * again and again: a fiber must not block its loop. The line that was left unfinished is guarded by a time instead, up to which it
 * is its sender's to continue; so nobody need be there to give it up.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../shared_lock.h"
#include "merger_inside.h"

/* Between two tries: shortest and longest. */
#define FIRST_PAUSE   WEIR_US(50)
#define LONGEST_PAUSE WEIR_MS(2)

/* Who has waited that long asks the others to let it go first, and how long they then do. */
#define PATIENCE  WEIR_MS(20)
#define GIVES_WAY WEIR_MS(5)

struct merger_shared *merger_shared_new(void)
{
    void *memory = mmap(NULL, sizeof(struct merger_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct merger_shared *shared = memory;
    if (shared_lock_make(&shared->lock) == 0)
        return shared;
    munmap(memory, sizeof *shared);
    return NULL;
}

void merger_shared_free(struct merger_shared *shared)
{
    if (shared)
        munmap(shared, sizeof *shared);
}

bool merger_is_anothers(const struct merger *merger)
{
    const struct merger_shared *shared = merger->shared;
    return shared->open && shared->open_process != getpid() && weir_now() < shared->open_until &&
           !process_is_gone(shared->open_process);
}

/*
 * Whether the lock is had, and the output is free to be written to. What the lock is about is right at any moment: `open` is
 * set before a line is begun.
 */
static bool try_lock(struct merger *merger)
{
    pthread_mutex_t *lock = &merger->shared->lock;
    if (!shared_lock_try(lock))
        return false;
    if (!merger_is_anothers(merger))
        return true;
    pthread_mutex_unlock(lock);
    return false;
}

/* Whoever writes and writes would have the lock whenever others try. 0, or -1 with ECANCELED. */
static int give_way(const struct merger *merger)
{
    pid_t wanted = atomic_load(&merger->shared->wanted);
    if (wanted == 0 || wanted == getpid())
        return 0;
    atomic_store(&merger->shared->wanted, 0);
    return weir_sleep(GIVES_WAY);
}

int merger_lock(struct merger *merger, bool within_line)
{
    int64_t began = weir_now(), pause = FIRST_PAUSE;
    if (!within_line && give_way(merger) < 0)
        return -1;
    while (!try_lock(merger)) {
        if (weir_now() >= merger->deadline)
            return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "write", "stdout", NULL);
        if (weir_now() - began > PATIENCE)
            atomic_store(&merger->shared->wanted, getpid());
        if (weir_sleep(pause) < 0)
            return -1;
        pause = 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
    return 0;
}

void merger_unlock(struct merger *merger, uint64_t name, int64_t open_until)
{
    struct merger_shared *shared = merger->shared;
    if (shared->open == name) {
        shared->open_process = getpid();
        shared->open_until = open_until;
    }
    pthread_mutex_unlock(&shared->lock);
}
