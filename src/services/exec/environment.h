/* What a program is told of its client: by its environment, and in the log. */
#ifndef SERVICES_EXEC_ENVIRONMENT_H
#define SERVICES_EXEC_ENVIRONMENT_H

#include <weir/conn.h>

enum { EXEC_VARIABLES = 13, EXEC_VARIABLE_ROOM = 160, EXEC_CLIENT_ROOM = 192 };

/* "NAME=value"s, for weir_process_options. */
struct exec_environment {
    const char *variables[EXEC_VARIABLES + 1]; /* NULL-terminated */
    size_t count;
    char text[EXEC_VARIABLES][EXEC_VARIABLE_ROOM];
};

/*
 * Of a client on tcp what UCSPI has: PROTO=TCP, TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP, TCPREMOTEPORT. On a Unix socket
 * what ucspi-unix has: PROTO=UNIX, UNIXLOCALPATH, UNIXREMOTEPID, UNIXREMOTEEUID, UNIXREMOTEEGID. Of either what ncat has:
 * NCAT_PROTO, NCAT_LOCAL_ADDR, NCAT_LOCAL_PORT, NCAT_REMOTE_ADDR, NCAT_REMOTE_PORT.
 */
void exec_environment_fill(struct exec_environment *environment, const weir_conn *conn);

/*
 * Takes all variables of that kind out of the program's own environment: this server may itself have been started by such
 * a program, whose client is not ours. Before there are threads.
 */
void exec_environment_forget(void);

/* The client as the log has it: "tcp://127.0.0.1:40312", or "unix:/run/socket, process 12 of user 1000". Returns `text`. */
char *exec_client_name(const weir_conn *conn, char *text, size_t size);

#endif
