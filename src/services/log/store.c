/* Records on their way out; see store.h. */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* How long lines are kept for others to be written with them, and how long after a write has failed. */
#define KEPT  WEIR_MS(10)
#define AGAIN WEIR_MS(100)

/* Losses are told at most so often. */
#define TELL_EVERY WEIR_S(1)

/* How long what is left at the end may take. */
#define LAST_WORDS WEIR_S(1)

enum { OWN_MESSAGE = 64, MOST_PROCESSES = 1024 /* of --processes */ };

/* What each process has told of the kernel's drops at its sockets: whoever takes its place goes on from there. Mapped. */
struct told {
    uint64_t of[MOST_PROCESSES];
};

struct store {
    struct output *output;
    weir_fiber *writer;   /* of whoever has set `writing`; it may have ended */
    pthread_mutex_t lock; /* of all below */
    struct record_writer *records;
    struct lines lines;
    weir_server *server; /* whose handler calls; NULL until it does */
    bool writing;        /* a fiber sees to it that lines are written */
    bool over;           /* nobody reads the output any more */
    bool failing;        /* it was told, and nothing has been written since */
    uint64_t kinds[RECORD_KINDS];
    uint64_t no_room; /* datagrams that we have dropped */
    uint64_t dropped; /* that the kernel has, as far as we know */
    uint64_t no_room_told,
        *dropped_told; /* of both: has been written; the latter is part of `told`, NULL without a server */
    struct told *told;
    int64_t tell_at; /* the next may be */
};

static void unmake(struct store *store)
{
    if (store->told)
        munmap(store->told, sizeof *store->told);
    record_writer_free(store->records);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static struct told *told_new(void)
{
    void *memory = mmap(NULL, sizeof(struct told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "log", NULL);
    return NULL;
}

struct store *store_new(enum record_format format, const struct output_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "log", NULL);
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    store->told = told_new();
    store->records = store->told ? record_writer_new(format) : NULL;
    store->output = store->records ? output_new(options) : NULL;
    if (store->output)
        return store;
    unmake(store);
    return NULL;
}

int store_reopen(struct store *store)
{
    return output_reopen(store->output);
}

/* --- what is lost --- */

static uint64_t untold(const struct store *store)
{
    if (!store->server)
        return 0;
    return store->no_room - store->no_room_told + store->dropped - *store->dropped_told;
}

/* A record of what has been lost since the last, if it is due and there is room. Under the lock. */
static void tell_lost(struct store *store, bool now)
{
    char message[OWN_MESSAGE];
    uint64_t lost = untold(store);
    if (lost == 0 || (!now && weir_now() < store->tell_at))
        return;
    snprintf(message, sizeof message, "%" PRIu64 " datagrams dropped", lost);
    char *line = lines_room(&store->lines, record_room(strlen(message)));
    if (!line)
        return;
    lines_add(&store->lines, record_write_own(store->records, weir_wall_clock(), "WARNING", message, line));
    store->no_room_told = store->no_room;
    *store->dropped_told = store->dropped;
    store->tell_at = weir_deadline(TELL_EVERY);
}

static void look_for_lost(struct store *store)
{
    weir_counters counters;
    weir_server_counters(store->server, &counters);
    pthread_mutex_lock(&store->lock);
    store->dropped = counters.datagrams_dropped;
    tell_lost(store, false);
    pthread_mutex_unlock(&store->lock);
}

/* --- writing --- */

/* The disk may have room again some time; who has stopped reading does not come back, and the server ends. */
static void write_failed(struct store *store)
{
    int number = weir_error()->number;
    if (number == ECANCELED)
        return;
    if (number == EPIPE) {
        store->over = true;
        if (store->server)
            weir_server_stop(store->server, WEIR_NOW);
    } else if (!store->failing) {
        weir_log(WEIR_LOG_ERROR, "%s: kept for later, and dropped and counted when that is too much",
                 weir_error()->sentence);
    }
    store->failing = true;
}

static void write_worked(struct store *store)
{
    if (store->failing)
        weir_log(WEIR_LOG_INFO, "%s can be written to again", output_name(store->output));
    store->failing = false;
}

/* Writes the pieces there are, not those that come meanwhile. Whether that is done. */
static bool write_pieces(struct store *store)
{
    struct lines_piece *piece;
    pthread_mutex_lock(&store->lock);
    struct lines_piece *first = lines_take(&store->lines);
    pthread_mutex_unlock(&store->lock);
    while ((piece = first) && output_write(store->output, piece) == 0) {
        first = piece->next;
        pthread_mutex_lock(&store->lock);
        lines_give(&store->lines, piece);
        write_worked(store);
        pthread_mutex_unlock(&store->lock);
    }
    pthread_mutex_lock(&store->lock);
    if (first)
        write_failed(store);
    lines_return(&store->lines, first);
    pthread_mutex_unlock(&store->lock);
    return !first;
}

/* Whether there is something to do; where there is not, nobody does it from now on. */
static bool goes_on(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->writing = !store->over && (store->lines.first || untold(store));
    bool writing = store->writing;
    pthread_mutex_unlock(&store->lock);
    return writing;
}

static void stop_writing(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->writing = false;
    pthread_mutex_unlock(&store->lock);
}

/* The fiber that writes, from the first line until there is nothing left. */
static int write_lines(void *arg)
{
    struct store *store = arg;
    int64_t pause = KEPT;
    do {
        if (weir_sleep(pause) < 0) {
            stop_writing(store); /* the worker has ended: what is left is for another, or for store_free */
            return 0;
        }
        look_for_lost(store);
        pause = write_pieces(store) ? KEPT : AGAIN;
    } while (goes_on(store));
    return 0;
}

/* The one before has nothing more to do. Without memory for another the next datagram tries again. */
static void start_writing(struct store *store)
{
    weir_fiber_options options = {.size = sizeof options, .name = "log output"};
    if (store->writer && weir_join(store->writer, NULL, WEIR_FOREVER) < 0) {
        stop_writing(store);
        return;
    }
    store->writer = weir_spawn(write_lines, store, &options);
    if (!store->writer)
        stop_writing(store);
}

/* --- taking --- */

static void take(struct store *store, const weir_datagram *datagram, int64_t arrived)
{
    enum record_kind kind;
    char *line = store->over ? NULL : lines_room(&store->lines, record_room(datagram->length));
    if (!line) {
        store->no_room++;
        return;
    }
    lines_add(&store->lines, record_write(store->records, datagram, arrived, line, &kind));
    store->kinds[kind]++;
}

/* Until it is asked what has been dropped, that is as much as was told before this process. Under the lock. */
static void know_server(struct store *store, weir_server *server)
{
    store->server = server;
    store->dropped_told = &store->told->of[weir_server_process(server) % MOST_PROCESSES];
    store->dropped = *store->dropped_told;
}

void store_add(struct store *store, const weir_datagram *datagram)
{
    int64_t arrived = weir_wall_clock();
    pthread_mutex_lock(&store->lock);
    if (!store->server)
        know_server(store, weir_server_self());
    take(store, datagram, arrived);
    bool begins = !store->writing;
    store->writing = true;
    pthread_mutex_unlock(&store->lock);
    if (begins)
        start_writing(store);
}

/* --- the end --- */

/* Where there are no threads the fiber that writes lives longer than the server. Elsewhere it has ended with its worker. */
static void end_writing(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    bool writing = store->writing;
    pthread_mutex_unlock(&store->lock);
    if (!store->writer)
        return;
    if (writing)
        weir_cancel_fiber(store->writer);
    weir_join(store->writer, NULL, WEIR_FOREVER);
    store->writer = NULL;
}

void store_dropped(struct store *store, uint64_t dropped)
{
    end_writing(store);
    pthread_mutex_lock(&store->lock);
    if (store->server) /* else this process has served nobody: it is the parent of those that have */
        store->dropped = dropped;
    pthread_mutex_unlock(&store->lock);
}

/* "90 python, 10 plain" */
static void name_kinds(const struct store *store, char *text, size_t size)
{
    FILE *out = fmemopen(text, size, "w");
    if (!out)
        return;
    const char *comma = "";
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        if (store->kinds[kind]) {
            fprintf(out, "%s%" PRIu64 " %s", comma, store->kinds[kind], record_kind_name((enum record_kind)kind));
            comma = ", ";
        }
    fclose(out);
}

/* What became of all: in the log, too, since the last words may be what could not be written. */
static void tell_totals(const struct store *store)
{
    char kinds[200] = "none";
    size_t left = lines_count(&store->lines);
    name_kinds(store, kinds, sizeof kinds);
    weir_log(WEIR_LOG_INFO, "log: records: %s; datagrams dropped: %" PRIu64, kinds, store->no_room + store->dropped);
    if (left)
        weir_log(WEIR_LOG_WARNING, "log: %zu lines could not be written to %s", left, output_name(store->output));
}

static void write_last(struct store *store)
{
    output_hurry(store->output, weir_deadline(LAST_WORDS));
    if (store->lines.first)
        write_pieces(store); /* or there may be no room for the last record */
    tell_lost(store, true);
    if (store->lines.first)
        write_pieces(store);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    end_writing(store);
    if (!store->over)
        write_last(store);
    if (store->server)
        tell_totals(store);
    lines_free(&store->lines);
    output_free(store->output);
    unmake(store);
}
