/* Descriptors that this floor makes. */
#ifndef WEIR_OS_DESCRIPTOR_H
#define WEIR_OS_DESCRIPTOR_H

/*
 * A descriptor that was just opened, moved above 2 where the standard ones are closed: nothing that prints may reach it.
 * Takes `fd` over, -1 included. Returns the descriptor, close-on-exec, or -1 and errno.
 */
int weir__above_standard(int fd);

/* As pipe2(2) with O_CLOEXEC, both above 2. 0, or -1 and errno. */
int weir__pipe(int pair[2]);

/* Closes a descriptor unless it is -1; keeps errno. */
void weir__close_quietly(int fd);

#endif
