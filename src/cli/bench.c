/* weir bench: reads what is wanted, starts the workers, watches the time. */
#include "bench.h"
#include "securing.h"
#include "via.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define AT(member) offsetof(struct bench_settings, member)

enum {
    OTHER_DESCRIPTORS = 64, /* beside a connection's each */
    CHURN_SOURCES = 16,     /* addresses that --churn takes turns with */
    LONGEST_DATAGRAM = 65507,
    SHORTEST_DATAGRAM = 8, /* its number */
    MOST_WORKERS = 256,
};

static const char *const backends[] = {"auto", "uring", "epoll", NULL};

static const weir_option bench_options[] = {
    {WEIR_OPTION_INTEGER, "connections", 'c', "N", AT(connections), "connections at once", "64", NULL, 1, 10000000},
    {WEIR_OPTION_SIZE, "size", 0, "BYTES", AT(size), "of a message", "64"},
    {WEIR_OPTION_INTEGER, "depth", 0, "N", AT(depth),
     "messages under way on a connection; by default 1, with --rate up to 64", NULL, NULL, 1, 4096},
    {WEIR_OPTION_TIME, "duration", 0, "TIME", AT(duration), "how long to measure", "10s"},
    {WEIR_OPTION_INTEGER, "rate", 0, "N", AT(rate),
     "messages a second in all, sent at their time whether or not the server keeps up", NULL, NULL, 1, 1000000000},
    {WEIR_OPTION_FLAG, "churn", 0, NULL, AT(churn), "connects, sends one message, closes, again and again"},
    {WEIR_OPTION_FLAG, "idle", 0, NULL, AT(idle), "one message on every connection, silence, one more"},
    {WEIR_OPTION_TIME, "timeout", 0, "TIME", AT(timeout),
     "how long an answer may take; by default 10s, for a datagram 1s"},
    {WEIR_OPTION_INTEGER, "workers", 0, "N", AT(workers), "threads, each with a loop", "1", NULL, 1, MOST_WORKERS},
    {WEIR_OPTION_CHOICE, "backend", 0, "NAME", AT(backend), "what the loops run on", "auto", backends},
    {WEIR_OPTION_FLAG, "json", 0, NULL, AT(json), "prints the result as one JSON object"},
    {WEIR_OPTION_TEXT, "plot", 0, "FILE", AT(plot),
     "draws the rate and the latencies over time, and all latencies by percentile, as an SVG image"},
    {0},
};
static const struct option_section bench_sections[] = {
    {"Options", bench_options}, {"TLS", client_tls_options}, {"Through others", via_options}, {0}};

/* --- what is wanted --- */

static int refuse(const struct bench *bench, const char *reason)
{
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "bench", bench->endpoint.text, "%s", reason);
}

/* What makes no sense, alone or together. 0, or -1 with a usage error. */
static int check(const struct bench *bench)
{
    const struct bench_settings *settings = &bench->settings;
    if (settings->size < 1)
        return refuse(bench, "a message has at least one byte");
    if (settings->size > INT64_C(1) << 30)
        return refuse(bench, "a message has at most 1 GiB");
    if (settings->idle && (settings->churn || settings->rate > 0))
        return refuse(bench, "--idle excludes --churn and --rate");
    if ((settings->churn || settings->idle) && settings->depth > 1)
        return refuse(bench, "--depth is not for --churn and --idle");
    if (settings->workers > settings->connections)
        return refuse(bench, "there are more workers than connections");
    if (!bench->endpoint.datagram)
        return 0;
    if (settings->churn || settings->idle)
        return refuse(bench, "--churn and --idle are for streams");
    if (settings->size > LONGEST_DATAGRAM)
        return refuse(bench, "a datagram has at most 65,507 bytes");
    if (settings->size < SHORTEST_DATAGRAM)
        return refuse(bench, "a datagram needs 8 bytes for its number: --size 8 at least");
    return 0;
}

static const struct bench_mode *mode_of(const struct bench *bench)
{
    if (bench->endpoint.datagram)
        return &bench_datagram_mode;
    if (bench->settings.churn)
        return &bench_churn_mode;
    return bench->settings.idle ? &bench_idle_mode : &bench_stream_mode;
}

/* Raises the descriptor limit to the hard one and sees that it is enough. 0 or -1. */
static int raise_descriptor_limit(const struct bench *bench)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "bench", bench->endpoint.text, NULL);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t wanted = (uint64_t)bench->settings.connections + OTHER_DESCRIPTORS;
    if (wanted <= limit.rlim_cur)
        return 0;
    return weir_fail(WEIR_ERROR_LIMIT, EMFILE, "bench", bench->endpoint.text,
                     "%lld connections need %llu descriptors, and the system allows %llu",
                     (long long)bench->settings.connections, (unsigned long long)wanted,
                     (unsigned long long)limit.rlim_cur);
}

/* --- whom to connect to, and from where --- */

/* How many ports one address has for connections. */
static unsigned ports_of_an_address(void)
{
    unsigned first, last, count = 28232; /* the kernel's default */
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    if (!file)
        return count;
    if (fscanf(file, "%u %u", &first, &last) == 2 && last >= first)
        count = last - first + 1;
    fclose(file);
    return count;
}

/* On IPv4's loopback any of 127.0.0.0/8 is ours to connect from: as many as the connections need ports. */
static unsigned sources_for(const struct bench *bench, const weir_address *peer)
{
    if (peer->any.sa_family != AF_INET || !weir_address_is_loopback(peer))
        return 0;
    if (bench->settings.churn)
        return CHURN_SOURCES;
    /* Some ports are others', and some still wait after their last connection. */
    unsigned usable = ports_of_an_address() / 2 + 1;
    unsigned needed = (unsigned)((uint64_t)bench->settings.connections / usable) + 1;
    return needed == 1 ? 0 : needed < 254 ? needed : 254;
}

/*
 * Connects once, to see that somebody is there, and to have a name resolved once and not for every connection. 0 or -1.
 */
static int find_target(struct bench *bench)
{
    weir_address peer;
    weir_conn *conn =
        weir_connect(bench->endpoint.text, WEIR_OPTIONS(weir_connect_options, .timeout = bench_timeout(bench),
                                                        .tls = bench->settings.tls, .via = bench->settings.via.items));
    if (!conn)
        return -1;
    snprintf(bench->target, sizeof bench->target, "%s", bench->endpoint.text);
    bool direct = bench->settings.via.count == 0 && bench->endpoint.scheme != WEIR_SCHEME_UNIX;
    if (direct && weir_peer_address(conn, &peer) == 0) {
        weir_endpoint_text(bench->endpoint.scheme, bench->endpoint.datagram, &peer, bench->target,
                           sizeof bench->target);
        bench->sources = sources_for(bench, &peer);
    }
    weir_close(conn);
    return 0;
}

/* Connections go to an address, and certificates are for names; and each handshake is to be a whole one. */
static void set_security(struct bench *bench)
{
    bench->settings.tls.fresh = true;
    if (weir_scheme_is_secure(bench->endpoint.scheme) && !bench->settings.tls.server_name)
        bench->settings.tls.server_name = *bench->endpoint.host ? bench->endpoint.host : "localhost";
}

/* --- running --- */

static int start_worker(struct bench *bench, struct bench_worker *worker, size_t number)
{
    size_t workers = (size_t)bench->settings.workers, connections = (size_t)bench->settings.connections;
    worker->bench = bench;
    worker->first = connections * number / workers;
    worker->count = connections * (number + 1) / workers - worker->first;
    atomic_fetch_add(&bench->running, 1);
    int error = pthread_create(&worker->thread, NULL, bench_work, worker);
    if (error == 0) {
        worker->started = true;
        return 0;
    }
    atomic_fetch_sub(&bench->running, 1);
    return weir_fail(WEIR_ERROR_SYSTEM, error, "bench", bench->endpoint.text, NULL);
}

/* Waits at most `time`, or until a signal came. Returns whether one came; from then on another ends the program. */
static bool signalled_within(struct bench *bench, int64_t time)
{
    if (!bench->signals) {
        weir_sleep(time);
        return false;
    }
    if (weir_signals_wait(bench->signals, weir_deadline(time)) < 0)
        return false;
    weir_signals_free(bench->signals);
    bench->signals = NULL;
    return true;
}

/* Until every connection is ready or given up. Returns false where a signal ended it. */
static bool wait_until_ready(struct bench *bench)
{
    while (atomic_load(&bench->settled) < (size_t)bench->settings.connections) {
        if (signalled_within(bench, WEIR_MS(10)))
            return false;
        bench_live_line(bench, weir_now());
    }
    return true;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until the time is over or every worker has ended. */
static void wait_until_over(struct bench *bench)
{
    int64_t now;
    while (!bench_over(bench, now = weir_now()) && atomic_load(&bench->running) > 0) {
        int64_t next = earlier(atomic_load(&bench->end), bench_plot_due(bench));
        int64_t left = next > now ? next - now : 0;
        if (signalled_within(bench, earlier(left, WEIR_MS(100))))
            atomic_store(&bench->end, weir_now());
        bench_plot_sample(bench, weir_now());
        bench_live_line(bench, weir_now());
    }
}

static void join_workers(struct bench *bench)
{
    for (int64_t i = 0; i < bench->settings.workers; i++)
        if (bench->workers[i].started)
            pthread_join(bench->workers[i].thread, NULL);
}

/* Lets the conversations begin and waits for their end. Returns for how long they were measured. */
static int64_t measure(struct bench *bench, bool ready)
{
    int64_t begin = weir_now();
    bool forever = bench->settings.duration > WEIR_FOREVER - begin;
    atomic_store(&bench->begin, begin);
    atomic_store(&bench->end, !ready ? begin : forever ? WEIR_FOREVER : begin + bench->settings.duration);
    bench_plot_begin(bench, begin);
    weir_channel_close(bench->gate);
    wait_until_over(bench);
    int64_t now = weir_now();
    weir_channel_close(bench->finish);
    bench_live_line_end();
    join_workers(bench);
    bench_plot_end(bench, weir_now());
    int64_t end = atomic_load(&bench->end);
    return (now < end ? now : end) - begin;
}

/* Prints what was found. Returns the exit status. */
static int conclude(const struct bench *bench, int64_t elapsed)
{
    struct bench_total *total = bench_total(bench);
    if (!total)
        return failed();
    int status = bench_total_faults(total) > 0 ? STATUS_NETWORK : STATUS_DONE;
    bench_report(bench, total, elapsed);
    int printed = finish_stdout();
    if (bench_plot_write(bench, total, elapsed) < 0)
        printed = failed();
    free(total);
    return status != STATUS_DONE ? status : printed;
}

static int run_workers(struct bench *bench)
{
    for (size_t i = 0; i < (size_t)bench->settings.workers; i++)
        if (start_worker(bench, &bench->workers[i], i) < 0) {
            int status = failed();
            atomic_store(&bench->settled, (size_t)bench->settings.connections);
            measure(bench, false);
            return status;
        }
    bool ready = wait_until_ready(bench);
    return conclude(bench, measure(bench, ready));
}

static void free_bench(struct bench *bench)
{
    weir_channel_free(bench->gate);
    weir_channel_free(bench->finish);
    free(bench->workers);
}

static int run_bench(struct bench *bench)
{
    static const int ending[] = {SIGINT, SIGTERM};
    bench_pattern_make();
    bench->workers = calloc((size_t)bench->settings.workers, sizeof *bench->workers);
    bench->gate = weir_channel_new(1, 0);
    bench->finish = weir_channel_new(1, 0);
    atomic_store(&bench->end, WEIR_FOREVER);
    bench->signals = weir_signals_new(ending, 2);
    int status;
    if (!bench->workers)
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "bench", bench->endpoint.text, NULL);
    if (!bench->workers || !bench->gate || !bench->finish || !bench->signals)
        status = failed();
    else
        status = run_workers(bench);
    weir_signals_free(bench->signals);
    free_bench(bench);
    return status;
}

static int bench_endpoint(struct bench *bench, const weir_arguments *arguments)
{
    if (arguments->count == 0)
        return wrong_usage("", "bench: no endpoint is named; see weir bench --help");
    if (arguments->count > 1)
        return wrong_usage(arguments->items[1], "bench takes one endpoint");
    if (weir_parse_endpoint(arguments->items[0], "tcp", &bench->endpoint) < 0 || check(bench) < 0 ||
        tls_check(&bench->settings.tls, &bench->endpoint, "bench", "") < 0 ||
        via_check(&bench->settings.via, &bench->endpoint, "bench") < 0)
        return failed();
    set_security(bench);
    bench->mode = mode_of(bench);
    if (raise_descriptor_limit(bench) < 0 || find_target(bench) < 0)
        return failed();
    if (bench->settings.plot && bench_plot_open(bench) < 0)
        return failed();
    int status = run_bench(bench);
    bench_plot_close(bench);
    return status;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct bench bench = {0};
    weir_option_set sets[] = {{bench_options, &bench.settings},
                              {client_tls_options, &bench.settings.tls},
                              {via_options, &bench.settings.via}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 3, argc, argv, &status))
        status = bench_endpoint(&bench, &line.arguments);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const bench_usage[] = {"[OPTION]... ENDPOINT", NULL};
static const char *const bench_examples[] = {
    "weir bench :8000",
    "64 connections, each with one message of 64 bytes under way, for 10 seconds",
    "weir bench :8000 --connections 1000 --size 64k --depth 4",
    "1,000 connections, four messages of 64 KiB under way on each",
    "weir bench :8000 --rate 20000 --duration 1m",
    "20,000 messages a second; latency counts from when each was due",
    "weir bench :8000 --churn",
    "connects, sends one message, closes, again and again",
    "weir bench :8000 --idle --connections 10000",
    "10,000 connections that are silent for the time, all checked before and after",
    "weir bench :8000 --rate 20000 --plot FILE.svg",
    "how rate and latency went over time, as an image",
    "weir bench udp://:31337 --json",
    "datagrams; the result as JSON",
    NULL,
};

const struct command bench_command = {
    .name = "bench",
    .summary = "puts an echo server under load: rates, latencies, errors",
    .usage = bench_usage,
    .description =
        "Every byte that comes back is checked. By default the next message leaves when the last has come back (a "
        "closed loop). With --rate messages leave at their time, whether or not the server keeps up, and latency "
        "is counted from the time at which a message was due: a server that stalls is charged for every message it "
        "held up.\n\n"
        "The result is on stdout; on a terminal a line on stderr shows how it goes. Ctrl-C ends it early, with the "
        "result so far.\n\n"
        "Exit status: 0 without an error, 1 no connection, or bytes that were wrong, connections cut or answers "
        "lost.",
    .sections = bench_sections,
    .examples = bench_examples,
    .run = run,
};
