/* In place of the io_uring backend where its library is not to be had: that of a kernel without io_uring. */
#include <errno.h>

#include "engine/backend.h"

static int cannot_open(weir_loop *loop)
{
    (void)loop;
    errno = ENOSYS;
    return -1;
}

const struct weir__backend weir__backend_uring = {.name = "uring", .open = cannot_open};
