/*
 * The simulator: clients, handlers and servers as they are, on a network in memory, with faults, all from one seed.
 *
 * They run on hosts that exist in memory alone: with a clock of their own, a network of streams and datagrams between
 * them, and files. One seed decides all that is left to chance elsewhere: which fiber runs first, how long each segment
 * takes, how every transfer is cut, and which faults come when. The same seed gives the same run, byte for byte, on any
 * machine.
 *
 * A scenario makes hosts and starts programs on them; a program is a function that would as well run in a fiber of a real
 * process. Faults come for a while, at rates that each seed draws anew, then stop; after that everything must come to its
 * end by itself: programs return, services drain at SIGTERM, and no descriptor, fiber, timer, buffer or byte of memory is
 * left. What is found is told with the seed, and a trace of who did what, when, with how many bytes.
 *
 *     static int server(void *arg) { return weir_serve("tcp://server:7", my_handler, arg, NULL); }
 *
 *     static int client(void *arg)
 *     {
 *         weir_conn *conn = weir_connect("tcp://server:7", NULL);
 *         ... talks, checks what comes, and tries again where the connection fails ...
 *         return 0;
 *     }
 *
 *     static void echo(void)
 *     {
 *         weir_sim_service(weir_sim_host_new("server"), "serve", server, NULL);
 *         for (int i = 0; i < 3; i++)
 *             weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const weir_sim_scenario scenarios[] = {{.name = "echo", .set_up = echo}, {0}};
 *         return weir_sim_main(argc, argv, scenarios);
 *     }
 *
 * In the simulator the models of a server are all fibers, workers are fibers of one loop, and offloaded work runs at once, at a
 * cost in virtual time; processes cannot be started. Code that goes round the library (a clock or random number of its
 * own, a thread, a read(2)) is not simulated, and makes runs differ.
 */
#ifndef WEIR_SIM_H
#define WEIR_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/api.h>

WEIR_BEGIN

/* A computer of the simulation. It lives as long as the run. */
typedef struct weir_sim_host weir_sim_host;

/* What may go wrong, as bits. */
typedef enum weir_sim_fault {
    WEIR_SIM_SHORT = 1 << 0,      /* a read or write transfers less than it could */
    WEIR_SIM_RESET = 1 << 1,      /* a connection is reset, at any byte */
    WEIR_SIM_CONNECT = 1 << 2,    /* a connect is refused, opened on one side alone, or never answered */
    WEIR_SIM_DELAY = 1 << 3,      /* a segment takes much longer than the others */
    WEIR_SIM_STALL = 1 << 4,      /* what has arrived cannot be read for a while, and the window stays shut */
    WEIR_SIM_LOSS = 1 << 5,       /* of a datagram */
    WEIR_SIM_DUPLICATE = 1 << 6,  /* a datagram comes twice */
    WEIR_SIM_REORDER = 1 << 7,    /* a datagram is overtaken by later ones */
    WEIR_SIM_TRUNCATE = 1 << 8,   /* a datagram arrives cut short, and marked so */
    WEIR_SIM_RESOURCES = 1 << 9,  /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
    WEIR_SIM_ADDRESS = 1 << 10,   /* EADDRINUSE */
    WEIR_SIM_EVENTS = 1 << 11,    /* events late, out of order, or for nothing; cancelling that races with them */
    WEIR_SIM_CLOCK = 1 << 12,     /* the clock jumps forward */
    WEIR_SIM_RESTART = 1 << 13,   /* a service is killed, and started again */
    WEIR_SIM_PARTITION = 1 << 14, /* hosts do not reach each other for a while */
    WEIR_SIM_FILES = 1 << 15,     /* ENOSPC and EIO */
    WEIR_SIM_ALL_FAULTS = (1 << 16) - 1,
} weir_sim_fault;

enum { WEIR_SIM_FAULT_KINDS = 16 };

typedef struct weir_sim_scenario {
    const char *name;
    const char *summary; /* a line for --help; NULL: none */
    /* Makes the hosts and programs. Runs outside of them, in no virtual time; may draw from weir_sim_below. */
    void (*set_up)(void);
    unsigned without;   /* faults that never come here */
    int64_t faults_for; /* how long faults come, ns of virtual time; 0: drawn, up to 20 s */
    int64_t limit;      /* by when after that all must have ended; 0: 15 minutes */
} weir_sim_scenario;

/* --- what a scenario says --- */

/*
 * A host, with an IPv4 and an IPv6 address, reached by its name from all others, and by 127.0.0.1, ::1 and localhost from
 * itself alone. NULL names it host1, host2, ... The name is copied.
 */
WEIR_API weir_sim_host *weir_sim_host_new(const char *name);

/*
 * A name with the addresses given, separated by spaces, in the order in which the resolver gives them: those of hosts (by
 * their names, or `name/4` and `name/6` for one family), `dead` (nobody answers there), `refusing` (a host where nobody listens).
 */
WEIR_API void weir_sim_name(const char *name, const char *addresses);

/* One-way latency between two hosts, ns; without it each pair draws its own, 50 us to 50 ms. */
WEIR_API void weir_sim_latency(weir_sim_host *one, weir_sim_host *other, int64_t latency);

/*
 * Starts a program: `function` in a fiber on the host. A run ends well only if every program returns 0. `name` must live as
 * long as the run. From within a program, too.
 */
WEIR_API void weir_sim_program(weir_sim_host *host, const char *name, int (*function)(void *arg), void *arg);

/*
 * The same for what runs until it is told to end: it is sent SIGTERM when all programs have ended, must return 0 then, and may
 * be killed and started again meanwhile (WEIR_SIM_RESTART): its sockets are gone at once, as if the host had been
 * unplugged, and its fibers are cancelled. weir_serve ends at SIGTERM by itself; what has no server waits by
 * weir_signals_wait, or weir_sim_wait_stop.
 */
WEIR_API void weir_sim_service(weir_sim_host *host, const char *name, int (*function)(void *arg), void *arg);

/* Parks the calling service until it is told to end. Returns 0; or -1 with ECANCELED when it is killed. */
WEIR_API int weir_sim_wait_stop(void);

/* Sends a signal to all that waits for it on a host (weir_signals_wait, weir_serve). */
WEIR_API void weir_sim_signal(weir_sim_host *host, int number);

/* The host of the caller, NULL in set_up; and a host's name, which lives as long as the run. */
WEIR_API weir_sim_host *weir_sim_host_self(void);
WEIR_API const char *weir_sim_host_name(const weir_sim_host *host);

/* A number below `limit` (which is not 0), of the seed's: for what a scenario leaves to chance. */
WEIR_API uint64_t weir_sim_below(uint64_t limit);

/* Whether faults may still come. A client that failed may try again as long as they do; after that it must succeed. */
WEIR_API bool weir_sim_faulty(void);

/* When faults stop, as the clock of weir_now() tells it. */
WEIR_API int64_t weir_sim_faults_end(void);

/* A line of the scenario's own in the trace. */
WEIR_API void weir_sim_note(const char *format, ...) WEIR_PRINTF(1, 2);

/* The run has failed, for this reason: a sentence of the scenario's. It goes on to its end, which helps to understand it. */
WEIR_API void weir_sim_fail(const char *format, ...) WEIR_PRINTF(1, 2);

/* Fails the run unless the condition holds. */
#define WEIR_SIM_CHECK(condition)                                                                                      \
    ((condition) ? (void)0 : weir_sim_fail("%s:%d: %s does not hold", __FILE__, __LINE__, #condition))

/* --- running --- */

enum { WEIR_SIM_REASON = 512 };

typedef struct weir_sim_result {
    bool failed;
    char reason[WEIR_SIM_REASON]; /* the first thing that was wrong */
    uint64_t digest;              /* of everything that happened: equal for equal runs */
    int64_t duration;             /* virtual, ns */
    uint64_t steps;               /* events handed out */
    uint64_t faults[WEIR_SIM_FAULT_KINDS];
} weir_sim_result;

/*
 * Runs a scenario once, in the calling thread, which must have no loop. `trace` is a descriptor that the trace is written to,
 * -1: none. Returns 0 if the run went well, else -1 with EPROTO and the reason in weir_error(). `result` may be NULL.
 */
WEIR_API int weir_sim_run(const weir_sim_scenario *scenario, uint64_t seed, int trace, weir_sim_result *result);

/*
 * A main function for programs of scenarios (the last has no name): runs many seeds on all processors, tells how it goes, and
 * the first seeds that fail with how to replay each. Every seed runs in a process that may crash or hang: that seed has
 * failed then, and the others go on. `program --help` tells the options. Returns an exit status: 0, 1 where a run failed,
 * 2 for wrong usage.
 */
WEIR_API int weir_sim_main(int argc, char **argv, const weir_sim_scenario *scenarios);

WEIR_END

#endif
