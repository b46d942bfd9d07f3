/*
 * weir bench: what its parts share. The main thread watches the time (bench.c); each worker is a thread with a loop
 * (bench_worker.c) and a fiber a connection, which holds one kind of conversation (bench_stream.c, bench_datagram.c,
 * bench_churn.c, bench_idle.c).
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "commands.h"
#include "histogram.h"

struct bench_settings {
    int64_t connections;
    int64_t size;
    int64_t depth; /* 0: 1, or 64 with a rate */
    int64_t duration;
    int64_t rate;    /* messages a second over all connections; 0: closed loop */
    int64_t timeout; /* for an answer; 0: 10 s, 1 s for a datagram */
    int64_t workers;
    int backend; /* weir_backend */
    bool churn, idle, json;
    const char *plot;
    weir_tls_options tls;
    weir_option_list via;
};

/* What can go wrong with a connection or a message. */
enum bench_fault {
    BENCH_UNCONNECTED, /* no connection could be made */
    BENCH_CUT,         /* it was closed or reset */
    BENCH_TIMED_OUT,   /* nothing came back in time */
    BENCH_WRONG,       /* what came back was not what was sent */
    BENCH_LOST,        /* a datagram was not answered in time */
    BENCH_FAULTS,
};

/* How many there were of a thing; one writer, any reader. */
typedef _Atomic uint64_t bench_count;

/* What one worker has counted; its thread writes, the main thread reads. */
struct bench_counts {
    bench_count answered; /* messages that came back whole and right */
    bench_count in_time;  /* those before the end of the measured time */
    bench_count behind;   /* messages that were due and never sent */
    bench_count late;     /* datagrams answered after they were given up, or twice */
    bench_count faults[BENCH_FAULTS];
};

struct bench;

struct bench_worker {
    struct bench *bench;
    pthread_t thread;
    bool started;
    size_t first, count;    /* its connections */
    weir_channel *dialling; /* holds an item for every connection that is being made: a bound on how many */
    struct bench_counts counts;
    struct histogram latency;
};

/* How the conversations of this run go. */
struct bench_mode {
    const char *name;
    /* Before the measured time, in the connection's fiber: gets it ready. Returns whether it is. */
    bool (*prepare)(struct bench_worker *worker, size_t index, weir_conn **conn);
    /* During it. The connection may be NULL where prepare made none. */
    void (*converse)(struct bench_worker *worker, size_t index, weir_conn *conn);
};

extern const struct bench_mode bench_stream_mode, bench_datagram_mode, bench_churn_mode, bench_idle_mode;

struct bench {
    struct bench_settings settings;
    weir_endpoint endpoint;
    const struct bench_mode *mode;
    char target[400]; /* whom to connect to: the endpoint, its name resolved */
    unsigned sources; /* how many loopback addresses to connect from; 0: the system's choice */
    struct bench_worker *workers;
    weir_signals *signals; /* until the first: a second ends the program */
    weir_channel *gate;    /* closed when the measured time begins */
    weir_channel *finish;  /* closed when it is over */
    _Atomic int64_t begin, end;
    _Atomic size_t settled; /* connections that are ready, or never will be */
    _Atomic size_t ready;
    _Atomic size_t running;         /* workers */
    bench_count told[BENCH_FAULTS]; /* faults of all workers, so that only the first of a kind is told */
    const char *_Atomic backend;
    struct bench_plot *plot; /* NULL without --plot; the main thread's */
};

/* --- counting (bench_worker.c) --- */

/* Adds one; for the thread that owns the count. */
void bench_increment(bench_count *count);

/* A message came back whole and right: `began` is when it was sent, or was due. */
void bench_answered(struct bench_worker *worker, int64_t began, int64_t now);

/* Counts a fault; the first of a kind is told on stderr by weir_error()'s sentence. */
void bench_fault(struct bench_worker *worker, enum bench_fault fault);

/* The same for a call that failed on a connection: by weir_error()'s kind. */
void bench_call_failed(struct bench_worker *worker);

/* Whether the measured time is over. */
bool bench_over(const struct bench *bench, int64_t now);

/* Waits until `deadline` or the end of the measured time, whichever is first. Returns whether the time is over (or the fiber cancelled). */
bool bench_rest(struct bench *bench, int64_t deadline);

/* When the `number`th message of a connection is due with --rate: the connections take turns. */
int64_t bench_due(const struct bench *bench, size_t index, uint64_t number);

/*
 * When to look whether that message is to be sent: when it is due, and at the end of the measured time, which a signal
 * may bring forward. After now; WEIR_FOREVER where nothing is to be sent any more.
 */
int64_t bench_next_due(const struct bench *bench, size_t index, uint64_t number, int64_t now);

/* How many messages a connection may have under way. */
size_t bench_depth(const struct bench *bench);

/* How long a message may take. */
int64_t bench_timeout(const struct bench *bench);

/* A connection to the target, from the source address that is its turn; NULL with the fault counted. */
weir_conn *bench_connect(struct bench_worker *worker, size_t turn);

/* A thread, whose argument is a struct bench_worker: all its connections, from connecting to closing. */
void *bench_work(void *arg);

/* --- one message, as churn and idle have it (bench_stream.c) --- */

/* Sends a message and waits for it to come back. `began` is from when its time counts. Returns whether it came right. */
bool bench_exchange(struct bench_worker *worker, size_t index, weir_conn *conn, int64_t began);

/* --- the bytes (bench_pattern.c) --- */

enum { BENCH_PATTERN_WINDOW = 262144 };

/* Fills the pattern with chance. Once, before any worker. */
void bench_pattern_make(void);

/* At least BENCH_PATTERN_WINDOW bytes of the endless pattern from an offset. */
const char *bench_pattern(uint64_t offset);

/* The offset at which a connection's stream begins, so that bytes of another connection are wrong. */
uint64_t bench_pattern_start(size_t index);

/* Whether `size` bytes are the pattern's from `offset`. If not, sets an error that says where. */
bool bench_pattern_check(uint64_t offset, const char *data, size_t size, const char *endpoint);

/* --- telling (bench_report.c) --- */

/* The sum over all workers. Allocated; the caller frees it. NULL with ENOMEM. */
struct bench_total {
    uint64_t answered, in_time, behind, late;
    uint64_t faults[BENCH_FAULTS];
    struct histogram latency;
};
struct bench_total *bench_total(const struct bench *bench);

/* All faults. */
uint64_t bench_total_faults(const struct bench_total *total);

/* The line that is written over and over while it runs, where stderr is a terminal. */
void bench_live_line(const struct bench *bench, int64_t now);
void bench_live_line_end(void);

/* weir_error()'s sentence on stderr, in place of the live line. Any thread. */
void bench_tell_fault(void);

/* The result on stdout. */
void bench_report(const struct bench *bench, const struct bench_total *total, int64_t elapsed);

/* --- the plot (bench_plot.c); without --plot these do nothing --- */

/* Opens the file of --plot. 0, or -1 with an error. bench_plot_close frees what there is. */
int bench_plot_open(struct bench *bench);
void bench_plot_close(struct bench *bench);

/* At the beginning of the measured time, when it is due (WEIR_FOREVER: never), and when all has come to its end. */
void bench_plot_begin(struct bench *bench, int64_t begin);
int64_t bench_plot_due(const struct bench *bench);
void bench_plot_sample(struct bench *bench, int64_t now);
void bench_plot_end(struct bench *bench, int64_t now);

/* Draws. 0, or -1 with an error. */
int bench_plot_write(const struct bench *bench, const struct bench_total *total, int64_t elapsed);

#endif
