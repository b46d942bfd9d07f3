/*
 * Relaying: each client of a server gets a connection to another endpoint, and the two are joined. Streams here;
 * datagrams, whose clients are told apart by their addresses, in sessions (relay_sessions.c). Used by the command and by
 * the simulator's scenarios.
 */
#ifndef CLI_RELAYING_H
#define CLI_RELAYING_H

#include <stdatomic.h>
#include <weir/weir.h>

struct relay_sessions;
struct shared_count;

/* What a relay has counted; in memory that several processes may share. */
struct relay_counters {
    _Atomic uint64_t unreached;   /* clients whose connection to the other end failed */
    _Atomic uint64_t cut;         /* pairs that one of the two ends, or a limit, has cut */
    _Atomic uint64_t sessions;    /* of datagrams, that were begun */
    _Atomic uint64_t refused;     /* datagrams dropped since there were sessions enough */
    _Atomic uint64_t overrun;     /* datagrams dropped since those before them had not left yet */
    _Atomic uint64_t undelivered; /* datagrams that could not be sent, there or back */
};

struct relay {
    weir_endpoint to;
    weir_connect_options connect;            /* how it is connected to `to`; its size is set */
    weir_conn *(*dial)(struct relay *relay); /* connects in place of weir_connect; NULL: that does */
    bool verbose;                            /* a line for each client */
    int64_t session_timeout;  /* a session of datagrams ends when nothing has come either way for so long */
    int64_t most_sessions;    /* at once */
    int64_t most_per_address; /* of those, of one machine beyond loopback; negative: as many as it likes */
    struct relay_counters *counters;
    struct shared_count *open;       /* sessions that have not ended */
    weir_server *server;             /* of FROM */
    struct relay_sessions *sessions; /* relay_sessions_new's; NULL for streams */
    atomic_bool stopping;            /* nothing comes from clients any more */
    _Atomic int64_t next_line;       /* when the next complaint may be written */
    _Atomic uint64_t more_lines;     /* those that were not */
};

/* The handlers of the server; `arg` is the relay. */
void relay_stream(weir_conn *client, void *arg);
void relay_datagram(const weir_datagram *datagram, void *arg);

/*
 * The server is to end: sessions wait no longer than a moment for an answer, since there will be no further question. In any
 * thread.
 */
void relay_sessions_stop(struct relay *relay);

/* The table of sessions. NULL with ENOMEM. Freed when the server has ended. */
struct relay_sessions *relay_sessions_new(void);
void relay_sessions_free(struct relay_sessions *sessions);

/* Bounds how many clients there may be where nobody has said it: each takes two descriptors. */
void relay_halve_connections(weir_server_options *server);

/* Connects to the other end, on behalf of somebody. NULL, counted and complained of. */
weir_conn *relay_connect(struct relay *relay, const char *whose);

/* Writes weir_error()'s sentence as a warning, at most once a second, with how many were left out. */
void relay_complain(struct relay *relay, const char *whose);

#endif
