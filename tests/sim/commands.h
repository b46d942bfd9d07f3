/* A server that does what its clients tell it, a command a line: for clients that want it to be silent, slow or deaf. */
#ifndef WEIR_TESTS_SIM_COMMANDS_H
#define WEIR_TESTS_SIM_COMMANDS_H

#include "common.h"

/*
 * echo WORD          answers WORD
 * pause MS           is silent for so long, then answers ok
 * half MS            answers ha, and after so long lf
 * sink SEED SIZE MS  receives nothing for so long, then that many bytes of a pattern, and answers sunk
 */
void command_handler(weir_conn *conn, void *arg);

/* The server, a service on a host of its own. It serves tcp://server:7. */
void serve_commands(void);

/* Sends a command. 0 or -1. */
int command(weir_conn *conn, const char *format, ...) WEIR_PRINTF(2, 3);
/* Receives a line, which must be that. 0; -1 with an error. */
int expect(weir_conn *conn, const char *answer);
/* Whether the connection works: something is asked and answered. 0 or -1. */
int use(weir_conn *conn);

#endif
