/* What reading and writing share: one call a direction, waiting, cancelling, and work for the pool. */
#include <errno.h>

#include "base/error.h"
#include "os/file.h"

enum call { IDLE, IN_PROGRESS, CANCELLED };

static const char *const step_names[] = {[WEIR__READING] = "read", [WEIR__WRITING] = "write"};

int weir__file_enter(struct weir_file *file, enum weir__direction direction, const char *step)
{
    uint8_t idle = IDLE;
    if (atomic_compare_exchange_strong(&file->calls[direction], &idle, IN_PROGRESS))
        return 0;
    return weir__fail_busy(step, file->name);
}

void weir__file_leave(struct weir_file *file, enum weir__direction direction)
{
    atomic_store(&file->calls[direction], IDLE);
}

void weir_file_cancel(weir_file *file)
{
    for (int direction = 0; direction < 2; direction++) {
        uint8_t call = IN_PROGRESS;
        if (atomic_compare_exchange_strong(&file->calls[direction], &call, CANCELLED))
            weir__wake(&file->watch.slot[direction]);
    }
}

static bool was_cancelled(void *call)
{
    return atomic_load((_Atomic uint8_t *)call) == CANCELLED;
}

bool weir__file_cancelled(const struct weir_file *file, enum weir__direction direction)
{
    return atomic_load(&file->calls[direction]) == CANCELLED;
}

/* What cannot be registered (EPERM) has no readiness to wait for: from now on poll(2) answers for it, which says "ready". */
static int cannot_wait(struct weir_file *file, enum weir__direction direction)
{
    if (errno == EPERM && !file->refuses_nowait[direction]) {
        file->refuses_nowait[direction] = true;
        return 0;
    }
    return weir__fail_system(errno, step_names[direction], file->name);
}

int weir__file_wait(struct weir_file *file, enum weir__direction direction, int64_t deadline)
{
    _Atomic uint8_t *call = &file->calls[direction];
    int way = direction == WEIR__READING ? WEIR__READABLE : WEIR__WRITABLE;
    int result = weir__watch_wait(&file->watch, way, deadline, was_cancelled, call);
    if (was_cancelled(call) || (result < 0 && errno == ECANCELED))
        return weir__fail_cancelled(step_names[direction], file->name);
    if (result < 0 && errno == ETIMEDOUT)
        return weir__fail_deadline(step_names[direction], file->name);
    return result < 0 ? cannot_wait(file, direction) : 0;
}

bool weir__file_ready(struct weir_file *file, enum weir__direction direction)
{
    struct pollfd query = {.fd = file->watch.fd, .events = direction == WEIR__READING ? POLLIN : POLLOUT};
    return weir__system()->poll(&query, 1, 0) > 0;
}

int weir__file_on_pool(struct weir_file *file, enum weir__direction direction, int (*function)(void *work),
                       const char *step)
{
    int result = 0;
    if (weir_cancelled())
        return weir__fail_cancelled(step, file->name);
    if (weir_offload(function, &file->work[direction], NULL, &result, WEIR_FOREVER) < 0 || result < 0)
        return weir__fail_system(errno, step, file->name);
    return 0;
}
