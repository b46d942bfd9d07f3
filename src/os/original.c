/* Noting what the process was started with. */
#include "os/original.h"

#include <fcntl.h>
#include <pthread.h>

#include "base/system.h"

static struct weir__original original;
static pthread_once_t noted = PTHREAD_ONCE_INIT;

static void note(void)
{
    weir__system()->thread_mask(SIG_BLOCK, NULL, &original.mask);
    weir__system()->getrlimit(RLIMIT_NOFILE, &original.files);
    for (int fd = 0; fd < 3; fd++)
        original.open[fd] = weir__system()->fcntl(fd, F_GETFD, 0) >= 0;
}

__attribute__((constructor)) void weir__original_note(void)
{
    pthread_once(&noted, note);
}

const struct weir__original *weir__original(void)
{
    weir__original_note();
    return &original;
}
