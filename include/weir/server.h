/* Servers: a handler per client, as Python's socketserver, with limits, a clean stop and counters. */
#ifndef WEIR_SERVER_H
#define WEIR_SERVER_H

#include <weir/datagram.h>
#include <weir/loop.h>
#include <weir/option.h>

WEIR_BEGIN

typedef struct weir_server weir_server;

/* Serves one client. The connection is the server's: it is closed when the handler returns. */
typedef void weir_stream_handler(weir_conn *conn, void *arg);

/* Serves one datagram, valid until it returns; weir_reply answers it. */
typedef void weir_datagram_handler(const weir_datagram *datagram, void *arg);

/*
 * How the clients of streams are served at once. Datagrams are served in fibers whatever the model: one after the other, in
 * the order they came, except that a handler which parks lets the next begin (not in the iterative model).
 */
typedef enum weir_model {
    WEIR_MODEL_FIBER,     /* a fiber per client, on one loop per worker thread */
    WEIR_MODEL_THREAD,    /* a thread per client */
    WEIR_MODEL_ITERATIVE, /* one client after the other, for each worker */
} weir_model;

/*
 * How a server serves. Every zero is the default; a limit is switched off by -1 (numbers) or WEIR_FOREVER (times).
 */
typedef struct weir_server_options {
    size_t size;
    weir_model model;
    int64_t workers; /* default: the CPUs this process may use; iterative: 1 */
    weir_backend backend;
    const char *name;        /* in logs and of its fibers; default the program's */
    const char *scheme;      /* the scheme of short endpoints; default "tcp" */
    int64_t max_connections; /* at once, then accepting pauses; default 90 % of the descriptor limit (threads: 45 %) */
    int64_t max_per_address; /* at once from one address (IPv6: /64), more are closed; default 100; loopback exempt */
    int64_t idle_timeout;    /* nothing either way; default 5 min */
    int64_t write_timeout;   /* the client takes no output; default 1 min */
    int64_t message_timeout; /* for a line or message, once begun, of weir_read_*; default 10 s */
    int64_t lifetime;        /* of a connection; default WEIR_FOREVER */
    int64_t line_limit;      /* what services allow a line or a message, in bytes; default 64 KiB */
    int64_t drain_timeout;   /* how long weir_serve lets clients finish at SIGTERM; default 30 s */
    int64_t replies_per_second; /* answers to datagrams from one source a second; default 1,000; loopback exempt */
    bool reply_to_any;          /* answer ports below 1024, broadcast, multicast and one's own sockets as well */
    size_t stack_size;          /* of a fiber or thread; default 256 KiB */
    weir_listen_options listen; /* backlog, socket options (its size is not read) */
    /*
     * Datagrams: when no more are there, each worker rests for this long and hears of nothing, so that those which come
     * meanwhile are taken together; one that comes after a silence is taken at once. Less where the receive buffer is
     * small, and none where one of the endpoints is a Unix socket, whose queue is short. Default 0: no rest.
     */
    int64_t gather_time;
    bool receive_packed; /* udp: let the kernel coalesce (UDP_GRO) where it can */
    /*
     * Who is let in: items are addresses or networks ("10.0.0.0/8", "::1"), names "allow" or "deny"; only read by
     * weir_server_new. The first that matches a client decides; who matches none is let in unless there is an allow.
     * Clients of Unix sockets, whose files have permissions, always are; loopback is no exception.
     */
    weir_option_list rules;
} weir_server_options;

/* A server without endpoints yet. `options` may be NULL. Returns NULL with EINVAL (a rule is named: "--allow 10.0.0.0/33: ...") or ENOMEM. */
WEIR_API weir_server *weir_server_new(const weir_server_options *options);

/*
 * Adds an endpoint and what serves it; binds and listens at once, so that errors are told here. `endpoint` as in weir_listen;
 * several workers share it. Descriptors handed over by systemd (LISTEN_FDS) for the same address are used in its place.
 * 0, or -1 as weir_listen.
 */
WEIR_API int weir_server_add(weir_server *server, const char *endpoint, weir_stream_handler *handler, void *arg);
WEIR_API int weir_server_add_datagrams(weir_server *server, const char *endpoint, weir_datagram_handler *handler,
                                       void *arg);

/*
 * Reads the certificate, the key and the clients' CA of its tls:// endpoints again: who comes from now on is shown the
 * new ones, nobody is dropped, sessions are resumed, unless clients show certificates. Any thread; reads files. 0; -1
 * with an error, and all stays as it was.
 */
WEIR_API int weir_server_reload(weir_server *server);

/* The number of addresses it serves, and the one at `index` in full notation. NULL past the end. */
WEIR_API size_t weir_server_count(const weir_server *server);
WEIR_API const char *weir_server_endpoint(const weir_server *server, size_t index);

/* Starts its workers and returns. 0, or -1 with EAGAIN, ENOMEM, EMFILE, or the backend's error. */
WEIR_API int weir_server_start(weir_server *server);

/*
 * Begins to stop, from any thread or fiber, its own handlers too: listeners close, what they had queued is still
 * served, clients finish until `deadline`; then their calls fail with ECANCELED. Called again, the earlier deadline holds. Does not park.
 */
WEIR_API void weir_server_stop(weir_server *server, int64_t deadline);

/* Waits until it has stopped. Parks. 0, or -1 with ETIMEDOUT, ECANCELED. Not from its own handlers (EDEADLK). */
WEIR_API int weir_server_wait(weir_server *server, int64_t deadline);

/* Stops at once if it runs, waits, frees. NULL is fine. */
WEIR_API void weir_server_free(weir_server *server);

/* What a server has done since it started. Sums over its workers, each exact, together not a snapshot. */
typedef struct weir_counters {
    uint64_t accepted; /* connections */
    uint64_t active;
    uint64_t refused_limit;     /* times that accepting paused at max_connections */
    uint64_t refused_address;   /* closed for max_per_address */
    uint64_t refused_rule;      /* connections closed and datagrams dropped for the rules */
    uint64_t refused_resources; /* EMFILE, ENFILE, ENOMEM, ENOBUFS on accepting, or no fiber or thread for it */
    uint64_t bytes_in, bytes_out;
    uint64_t errors_reset, errors_idle, errors_write_timeout, errors_message_timeout, errors_lifetime, errors_other;
    uint64_t errors_tls; /* no handshake came about */
    uint64_t cancelled;  /* cut by the drain's deadline */
    uint64_t datagrams_in, datagrams_out;
    uint64_t datagrams_truncated;
    uint64_t
        datagrams_dropped; /* by the kernel before we saw them: SO_MEMINFO; and those queued when a stop's time was up */
    uint64_t replies_refused; /* weir_reply: not to be answered */
    uint64_t replies_limited; /* weir_reply: above replies_per_second */
    uint64_t replies_failed;  /* weir_reply: the socket was full or refused */
} weir_counters;

/* What the server has counted so far. Any thread, also after it has stopped. */
WEIR_API void weir_server_counters(const weir_server *server, weir_counters *counters);

/* The counters as one line of "name=value"s, of those that are not zero, or as a JSON object. Returns `text`. */
WEIR_API char *weir_counters_text(const weir_counters *counters, bool json, char *text, size_t size);

/* The server whose handler the caller is in, so that a handler can stop it; NULL outside of one. */
WEIR_API weir_server *weir_server_self(void);

/* Whether it has begun to stop: a handler without an end of its own returns then. Any thread; false for NULL. */
WEIR_API bool weir_server_stopping(const weir_server *server);

/*
 * Which of several processes (weir_run_options.processes) the server is in, from 0 on; whoever takes the place of one
 * that has died has its number. 0 where there is but one.
 */
WEIR_API size_t weir_server_process(const weir_server *server);

/* For services: the line_limit of the server that the calling handler runs in, in bytes; 64 KiB outside of one. */
WEIR_API size_t weir_line_limit(void);

/*
 * A whole program's main: serves until SIGTERM or SIGINT, drains, and returns an exit status: 0, or 1 after one line on
 * stderr. On the way it raises the descriptor limit to the hard one, ignores SIGPIPE, prints a line an endpoint when ready
 * ("weir: echo on tcp://127.0.0.1:8000"), tells systemd, prints the counters at SIGUSR1, names the handler that
 * crashes or whose stack overflows; a second signal ends at once. Python's serve_forever.
 */
WEIR_API int weir_serve(const char *endpoint, weir_stream_handler *handler, void *arg,
                        const weir_server_options *options);
WEIR_API int weir_serve_datagrams(const char *endpoint, weir_datagram_handler *handler, void *arg,
                                  const weir_server_options *options);

typedef struct weir_run_options {
    size_t size;
    int ready_fd;          /* written to and closed when all is ready; 0 none (0 to 2 are reserved) */
    int processes;         /* above 1: that many supervised processes behind SO_REUSEPORT in place of one */
    int64_t drain_timeout; /* default 30 s */
    bool log_json;
    void (*ready)(void *arg);  /* called once when everything listens; `arg` */
    void (*reload)(void *arg); /* at SIGHUP; NULL: SIGHUP is left alone */
    void *arg;
    /* At the signal that ends it, when its clients are about to have the drain_timeout; in each process. */
    void (*stopping)(void *arg);
    /* At SIGUSR1, after the counters, for more of the caller's; in the parent where there are several processes. */
    void (*counted)(void *arg);
} weir_run_options;

/*
 * The same for servers that the caller has made and added endpoints to: prepares the process, starts them, runs until a
 * signal or until they have been stopped, drains, leaves the servers to the caller. Returns 0, or -1 with an error. Call it
 * from main, before other threads start.
 */
WEIR_API int weir_run_servers(weir_server *const *servers, size_t count, const weir_run_options *options);

WEIR_END

#endif
