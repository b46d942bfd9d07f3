/* The service exec from inside: a program per client. */
#ifndef SERVICES_EXEC_EXEC_H
#define SERVICES_EXEC_EXEC_H

#include <weir/weir.h>

#include "../slots.h"

/* What all clients share; made at the start, only read from then on. */
struct exec {
    const char *const *command; /* argv's; NULL-terminated */
    char *program;              /* where it was found */
    const char *name;           /* of the program, as the log has it */
    int64_t grace;              /* from SIGTERM to SIGKILL */
    int64_t idle, lifetime;     /* the server's limits */
    bool guarded;               /* there is an --allow */
    struct slots *slots;
};

/*
 * Runs a program for a client to the end of both. In a fiber; the connection stays the caller's. `client` is its name in
 * the log; it and all else outlive the call. Gives the slot back when the program has ended.
 */
void exec_converse(const struct exec *exec, weir_conn *conn, const char *client);

/* Whether the client can be told nothing any more: it has reset the connection, or on tcp both directions are over. */
bool exec_is_cut(const weir_conn *conn);

/* Writes what a program says on its stderr into the log, a line a record, until its end. Parks. */
void exec_log_lines(weir_file *errors, const char *label);

/* Looks for a program as execvp(3) would. Its path, allocated; or NULL with ENOENT, EACCES of kind USAGE, or ENOMEM. */
char *exec_find_program(const char *name);

#endif
