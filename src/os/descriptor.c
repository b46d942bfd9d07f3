/* Opening descriptors clear of the standard ones. */
#include "os/descriptor.h"

#include <errno.h>
#include <fcntl.h>

#include "base/system.h"

void weir__close_quietly(int fd)
{
    int before = errno;
    if (fd >= 0)
        weir__system()->close(fd);
    errno = before;
}

int weir__above_standard(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int moved = weir__system()->fcntl(fd, F_DUPFD_CLOEXEC, 3);
    weir__close_quietly(fd);
    return moved;
}

int weir__pipe(int pair[2])
{
    if (weir__system()->pipe2(pair, O_CLOEXEC) < 0)
        return -1;
    pair[0] = weir__above_standard(pair[0]);
    pair[1] = weir__above_standard(pair[1]);
    if (pair[0] >= 0 && pair[1] >= 0)
        return 0;
    weir__close_quietly(pair[0]);
    weir__close_quietly(pair[1]);
    return -1;
}
