/*
 * Passwords as people and scripts give them to a command: at a terminal that does not show them, or on stdin; never
 * as words.
 */
#ifndef CLI_PASSWORD_INPUT_H
#define CLI_PASSWORD_INPUT_H

#include <stddef.h>

/*
 * Asks at the terminal of the process, twice, and puts the password, NUL-terminated, in `password`. Blocks. 0, or -1
 * with an error: there is no terminal, or the two differ, or it is longer than `size` - 1 bytes.
 */
int password_ask(char *password, size_t size, size_t *length);

/* Reads a line of stdin, and nothing of what follows it. Blocks. 0, or -1 with an error. */
int password_read(char *password, size_t size, size_t *length);

#endif
