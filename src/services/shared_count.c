/* A count that processes share; see shared_count.h. */
#include "shared_count.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/error.h>

enum { MOST_PROCESSES = 1100 }; /* --processes, and those that ended a moment ago */

struct part {
    _Atomic pid_t process; /* 0: nobody's yet */
    _Atomic int64_t count;
};

struct parts {
    atomic_size_t used;
    struct part all[MOST_PROCESSES];
};

struct shared_count {
    struct parts *parts; /* mapped */
    pthread_mutex_t lock;
    struct part *own; /* under the lock, and of `process`; NULL: there is none */
    pid_t process;
};

struct shared_count *shared_count_new(void)
{
    struct shared_count *count = calloc(1, sizeof *count);
    void *memory = mmap(NULL, sizeof(struct parts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (count && memory != MAP_FAILED) {
        count->parts = memory;
        pthread_mutex_init(&count->lock, NULL);
        return count;
    }
    free(count);
    if (memory != MAP_FAILED)
        munmap(memory, sizeof(struct parts));
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "", NULL);
    return NULL;
}

void shared_count_free(struct shared_count *count)
{
    if (!count)
        return;
    munmap(count->parts, sizeof *count->parts);
    pthread_mutex_destroy(&count->lock);
    free(count);
}

bool process_is_gone(pid_t process)
{
    return kill(process, 0) < 0 && errno == ESRCH;
}

/* Under the lock: takes a part that is nobody's, or whose process is gone; or was that of one with the same number. */
static struct part *claim(struct shared_count *count)
{
    struct parts *parts = count->parts;
    for (size_t i = 0; i < MOST_PROCESSES; i++) {
        struct part *part = &parts->all[i];
        pid_t holder = atomic_load(&part->process);
        bool is_free = holder == 0 || holder == count->process || process_is_gone(holder);
        if (!is_free || !atomic_compare_exchange_strong(&part->process, &holder, count->process))
            continue;
        atomic_store(&part->count, 0);
        size_t used = atomic_load(&parts->used);
        while (used <= i && !atomic_compare_exchange_weak(&parts->used, &used, i + 1))
            ;
        return part;
    }
    return NULL;
}

/* A child begins with what its parent had. */
static struct part *own_part(struct shared_count *count)
{
    pid_t process = getpid();
    pthread_mutex_lock(&count->lock);
    if (count->process != process) {
        count->process = process;
        count->own = claim(count);
    }
    struct part *own = count->own;
    pthread_mutex_unlock(&count->lock);
    return own;
}

void shared_count_add(struct shared_count *count, int64_t change)
{
    struct part *own = own_part(count);
    if (own)
        atomic_fetch_add(&own->count, change);
}

int64_t shared_count_sum(struct shared_count *count)
{
    int64_t sum = 0;
    pid_t process = getpid();
    size_t used = atomic_load(&count->parts->used);
    for (size_t i = 0; i < used; i++) {
        struct part *part = &count->parts->all[i];
        pid_t holder = atomic_load(&part->process);
        int64_t counted = atomic_load(&part->count);
        if (counted && (holder == process || !process_is_gone(holder)))
            sum += counted;
    }
    return sum;
}
