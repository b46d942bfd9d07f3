/* Choosing a loop's backend: what was asked for, else io_uring, else epoll where io_uring is refused. */
#include "engine/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

#include "base/error.h"
#include "engine/loop.h"

const struct weir__backend *(*weir__backend_wrap)(const struct weir__backend *backend);

static int open_backend(weir_loop *loop, const struct weir__backend *backend)
{
    loop->backend = weir__backend_wrap ? weir__backend_wrap(backend) : backend;
    return loop->backend->open(loop);
}

/* The simulator refuses nothing; the environment speaks for whoever cannot pass an option, such as a test. */
static int choice_of_environment(weir_backend *backend)
{
    const char *name = getenv("WEIR_BACKEND");
    if (!name || !*name)
        return 0;
    if (weir_parse_backend(name, backend) == 0)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "loop", "WEIR_BACKEND", "%.40s is not auto, uring or epoll", name);
}

static atomic_bool told;

void weir__backend_tell_no_fallback(void)
{
    atomic_store(&told, true);
}

static void tell_fallback(int number)
{
    if (!atomic_exchange(&told, true))
        weir_log(WEIR_LOG_INFO, "io_uring is not to be had (%s), using epoll", strerror(number));
}

int weir__backend_choose(weir_loop *loop, weir_backend backend)
{
    if (loop->system->backend)
        return open_backend(loop, loop->system->backend);
    if (backend == WEIR_BACKEND_AUTO && choice_of_environment(&backend) < 0)
        return -1;
    if (backend != WEIR_BACKEND_EPOLL && open_backend(loop, &weir__backend_uring) == 0)
        return 0;
    if (backend == WEIR_BACKEND_URING)
        return weir__fail_system(errno, "loop", "uring");
    if (backend == WEIR_BACKEND_AUTO)
        tell_fallback(errno);
    if (open_backend(loop, &weir__backend_epoll) < 0)
        return weir__fail_system(errno, "loop", "epoll");
    return 0;
}

const char *weir_loop_backend(const weir_loop *loop)
{
    return loop->backend->name;
}

int weir_parse_backend(const char *text, weir_backend *backend)
{
    static const char *const names[] = {"auto", "uring", "epoll"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *backend = (weir_backend)i;
            return 0;
        }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "backend", text, "not auto, uring or epoll");
}
