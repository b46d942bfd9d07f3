/* Terminals: whether it is one, how wide it is, and how to use it without blocking. */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/text.h"
#include "os/descriptor.h"
#include "os/file.h"

enum { DEFAULT_COLUMNS = 80 };

bool weir__is_terminal(int fd)
{
    struct winsize size;
    return weir__system()->ioctl(fd, TIOCGWINSZ, &size) == 0;
}

/* The upper end of a pseudo-terminal: opening it a second time would make another one. */
static bool is_upper_end(int fd)
{
    unsigned number;
    return weir__system()->ioctl(fd, TIOCGPTN, &number) == 0;
}

int weir__terminal_reopen(int fd)
{
    char path[32];
    int before = errno;
    int flags = weir__system()->fcntl(fd, F_GETFL, 0);
    int own = -1;
    if (flags >= 0 && !is_upper_end(fd)) {
        struct weir__text text = weir__text(path, sizeof path);
        weir__text_put(&text, "/proc/self/fd/");
        weir__text_put_number(&text, (uint64_t)fd);
        own = weir__system()->open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
        own = weir__above_standard(own);
    }
    errno = before;
    return own;
}

bool weir_file_is_terminal(const weir_file *file)
{
    return file->terminal;
}

int weir_file_columns(const weir_file *file)
{
    struct winsize size;
    if (!file->terminal || weir__system()->ioctl(file->fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS;
    return size.ws_col;
}
