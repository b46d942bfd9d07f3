/* Descriptors that this floor makes or writes to. */
#ifndef WEIR_OS_DESCRIPTOR_H
#define WEIR_OS_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A descriptor that was just opened, moved above 2 where the standard ones are closed: nothing that prints may reach it.
 * Takes `fd` over, -1 included. Returns the descriptor, close-on-exec, or -1 and errno.
 */
int weir__above_standard(int fd);

/* As pipe2(2) with O_CLOEXEC, both above 2. 0, or -1 and errno. */
int weir__pipe(int pair[2]);

/* Closes a descriptor unless it is -1; keeps errno. */
void weir__close_quietly(int fd);

/*
 * One write with pwritev2's flags that raises no SIGPIPE, whatever the program has decided about it. As pwritev2(2):
 * -1 and errno.
 */
ssize_t weir__write_quiet(int fd, const void *data, size_t size, int flags);

#endif
