/* The descriptors of a child: pipes and /dev/null opened for it, or the caller's own. */
#include <errno.h>

#include "base/error.h"
#include "os/descriptor.h"
#include "os/process.h"

static int open_null(struct weir__child_stdio *stdio, int fd)
{
    stdio->child[fd] = weir__above_standard(weir__system()->open("/dev/null", O_RDWR | O_CLOEXEC, 0));
    stdio->opened[fd] = stdio->child[fd] >= 0;
    return stdio->opened[fd] ? 0 : weir__fail_system(errno, "open", "/dev/null");
}

static int open_pipe(struct weir__child_stdio *stdio, int fd)
{
    int pair[2];
    if (weir__pipe(pair) < 0)
        return weir__fail_system(errno, "pipe", NULL);
    stdio->child[fd] = pair[fd == 0 ? 0 : 1];
    stdio->ours[fd] = pair[fd == 0 ? 1 : 0];
    stdio->opened[fd] = true;
    return 0;
}

/* The caller's own must be open, or the child would end up with what happens to have the number by then. */
static int take(struct weir__child_stdio *stdio, int fd, int given)
{
    if (weir__system()->fcntl(given, F_GETFD, 0) < 0)
        return weir__fail_system(errno, "start", "descriptor for the child");
    stdio->child[fd] = given;
    return 0;
}

static int open_one(struct weir__child_stdio *stdio, int fd, weir_stdio kind, int given)
{
    switch (kind) {
    case WEIR_STDIO_INHERIT:
        return 0;
    case WEIR_STDIO_NULL:
        return open_null(stdio, fd);
    case WEIR_STDIO_PIPE:
        return open_pipe(stdio, fd);
    case WEIR_STDIO_FD:
        return take(stdio, fd, given);
    }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "start", NULL, "%d is no weir_stdio", (int)kind);
}

int weir__child_stdio_open(struct weir__child_stdio *stdio, const weir_process_options *options)
{
    *stdio = (struct weir__child_stdio){.child = {-1, -1, -1}, .ours = {-1, -1, -1}};
    if (open_one(stdio, 0, options->input, options->input_fd) == 0 &&
        open_one(stdio, 1, options->output, options->output_fd) == 0 &&
        open_one(stdio, 2, options->error, options->error_fd) == 0)
        return 0;
    weir__child_stdio_close(stdio);
    return -1;
}

void weir__child_stdio_close_child(struct weir__child_stdio *stdio)
{
    for (int fd = 0; fd < 3; fd++) {
        if (stdio->opened[fd])
            weir__close_quietly(stdio->child[fd]);
        stdio->opened[fd] = false;
    }
}

void weir__child_stdio_close(struct weir__child_stdio *stdio)
{
    weir__child_stdio_close_child(stdio);
    for (int fd = 0; fd < 3; fd++) {
        weir__close_quietly(stdio->ours[fd]);
        stdio->ours[fd] = -1;
    }
}
