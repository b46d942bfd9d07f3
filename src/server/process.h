/* A server as a whole program: what it needs of the process, signals, telling that it is ready. */
#ifndef WEIR_SERVER_PROCESS_H
#define WEIR_SERVER_PROCESS_H

#include "server/server.h"

/* What weir_run_servers was asked for, and where in a family of processes it is. */
struct weir__run {
    weir_server *const *servers;
    size_t count;
    weir_run_options options; /* complete */
    int ready_pipe;           /* a supervised process tells its parent here; -1: it has none, or it is a restart */
    bool supervised;
};

/* --- prepare.c --- */

/* Descriptors 0 to 2 reserved, the descriptor limit raised, SIGPIPE ignored, handlers that crash named. Twice is once. 0 or -1. */
int weir__prepare_process(void);

/* --- ready.c --- */

/* Says what listens, and tells whoever waits for it: the caller, systemd, the ready descriptor. */
void weir__tell_ready(const struct weir__run *run);

/* Tells systemd something: "STOPPING=1". Nothing where there is none. */
void weir__notify(const char *state);

/* --- run.c --- */

/* Starts the servers, runs until a signal or until all have stopped, drains. 0, or -1 with an error. */
int weir__run_process(const struct weir__run *run);

/* When clients must have finished if a server is told to stop now. */
int64_t weir__drain_deadline(const struct weir__run *run, const weir_server *server);

/* One line with the counters of each server. */
void weir__log_counters(const struct weir__run *run);

/* weir_signals_wait has failed: tells so, and pauses before it is tried again. */
void weir__signals_failed(void);

/* Ends the process at once, as the shell shows one that a signal has ended. */
_Noreturn void weir__end_at_once(int signal);

/* --- supervise.c --- */

/* As weir__run_process, with options.processes processes; in a child it returns what weir__run_process returns there. */
int weir__supervise(const struct weir__run *run);

#endif
