/* Where the error of the caller is kept once there are fibers: in the fiber, or else in the thread. */
#include <pthread.h>

#include "base/error.h"
#include "engine/loop.h"

static struct weir__error **(*thread_place)(void);

static struct weir__error **place(void)
{
    struct weir_fiber *fiber = weir__fiber_running();
    return fiber ? &fiber->waiter.error : thread_place();
}

static void install(void)
{
    thread_place = weir__error_place;
    weir__error_place = place;
}

void weir__errors_know_fibers(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}
