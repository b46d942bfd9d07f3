/*
 * load: measures an echo server. This file reads the command line, keeps the measured time and
 * prints the result; load_tcp.c, load_udp.c, load_churn.c and load_idle.c make the load.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "process.h"

enum { MOST_TOLD = 5 };

struct load_options options = {.connections = 64, .size = 64, .depth = 1, .seconds = 3, .warmup = 0.5};
struct load_result result;

static int64_t measure_from, measure_until;
static bool measuring;
static double cpu_at_start;

static const char usage[] = "usage: load tcp|udp HOST PORT [options]\n"
                            "  --connections N   clients at once (64)\n"
                            "  --size BYTES      a message (64)\n"
                            "  --ask TEXT        tcp: a question in place of that, each time the same\n"
                            "  --answer TEXT     what is to come for it (any line)\n"
                            "  --seconds S       how long to measure (3)\n"
                            "  --warmup S        how long to load before that (0.5)\n"
                            "  --depth N         messages under way a connection (1)\n"
                            "  --churn           connect, one message, close, again\n"
                            "  --idle            one message a connection, then silence, then one more\n"
                            "  --watch PID       also tell what that process, the server, used\n";

_Noreturn void fail(const char *step)
{
    fprintf(stderr, "load: %s: %s\n", step, strerror(errno));
    exit(1);
}

static _Noreturn void wrong_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double server_cpu(void)
{
    return options.watched ? process_cpu(options.watched) : 0;
}

static void start_measuring(int64_t time)
{
    measuring = true;
    measure_from = time;
    cpu_at_start = server_cpu();
}

static void stop_measuring(int64_t time)
{
    measuring = false;
    result.seconds = (double)(time - measure_from) / 1e9;
    result.server_cpu = server_cpu() - cpu_at_start;
}

bool clock_tick(int64_t time)
{
    if (measure_until == 0) {
        measure_from = time + (int64_t)(options.warmup * 1e9);
        measure_until = measure_from + (int64_t)(options.seconds * 1e9);
    }
    if (!measuring && time >= measure_from)
        start_measuring(time);
    if (time < measure_until)
        return true;
    stop_measuring(time);
    return false;
}

void count_message(int64_t start, int64_t time)
{
    if (!measuring)
        return;
    result.messages++;
    histogram_add(&result.latency, (uint64_t)(time - start));
}

void count_error(const char *what)
{
    if (result.errors++ < MOST_TOLD)
        fprintf(stderr, errno ? "load: %s: %s\n" : "load: %s\n", what, strerror(errno));
}

static double number(const char *text, double least)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || value < least)
        wrong_usage();
    return value;
}

static void read_option(int option)
{
    switch (option) {
    case 'c':
        options.connections = (unsigned)number(optarg, 1);
        break;
    case 's':
        options.size = (size_t)number(optarg, 1);
        break;
    case 't':
        options.seconds = number(optarg, 0);
        break;
    case 'w':
        options.warmup = number(optarg, 0);
        break;
    case 'd':
        options.depth = (unsigned)number(optarg, 1);
        break;
    case 'p':
        options.watched = (pid_t)number(optarg, 1);
        break;
    case 'q':
        options.question = optarg;
        options.size = strlen(optarg);
        break;
    case 'a':
        options.answer = optarg;
        break;
    case 'r':
        options.kind = LOAD_CHURN;
        break;
    case 'i':
        options.kind = LOAD_IDLE;
        break;
    default:
        wrong_usage();
    }
}

/* The load floods what it is pointed at, so it takes loopback addresses alone. */
static void read_server(const char *host, const char *port)
{
    options.server.sin_family = AF_INET;
    options.server.sin_port = htons((uint16_t)number(port, 1));
    if (inet_pton(AF_INET, host, &options.server.sin_addr) != 1 || ntohl(options.server.sin_addr.s_addr) >> 24 != 127) {
        fprintf(stderr, "load: %s: not an address in 127.0.0.0/8\n", host);
        exit(2);
    }
}

static void read_arguments(int argc, char **argv)
{
    static const struct option names[] = {
        {"connections", 1, 0, 'c'},
        {"size", 1, 0, 's'},
        {"seconds", 1, 0, 't'},
        {"warmup", 1, 0, 'w'},
        {"depth", 1, 0, 'd'},
        {"watch", 1, 0, 'p'},
        {"churn", 0, 0, 'r'},
        {"idle", 0, 0, 'i'},
        {"ask", 1, 0, 'q'},
        {"answer", 1, 0, 'a'},
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        read_option(option);
    if (argc - optind != 3)
        wrong_usage();
    bool udp = strcmp(argv[optind], "udp") == 0;
    if (!udp && strcmp(argv[optind], "tcp") != 0)
        wrong_usage();
    if (udp && (options.kind != LOAD_TCP || options.question || options.size < 8 || options.size > 65507))
        wrong_usage();
    if (options.question && options.size == 0)
        wrong_usage();
    if (options.answer && (!options.question || !*options.answer))
        wrong_usage();
    if (udp)
        options.kind = LOAD_UDP;
    read_server(argv[optind + 1], argv[optind + 2]);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < options.connections + 16) {
        fprintf(stderr, "load: %u connections need more than the %lu descriptors allowed\n", options.connections,
                (unsigned long)limit.rlim_cur);
        exit(1);
    }
}

static double microseconds(double part)
{
    return (double)histogram_percentile(&result.latency, part) / 1e3;
}

static void print_watched(void)
{
    if (!options.watched)
        return;
    printf(", \"server_cpu_seconds\": %.6f", result.server_cpu);
    if (options.kind == LOAD_IDLE)
        printf(", \"server_rss_before_kib\": %ld, \"server_rss_idle_kib\": %ld", result.server_rss_before,
               result.server_rss_after);
}

static void print_result(void)
{
    static const char *const names[] = {"tcp", "udp", "churn", "idle"};
    printf("{\"load\": \"%s\", \"connections\": %u, \"size\": %zu, \"depth\": %u, ", names[options.kind],
           options.connections, options.size, options.depth);
    printf("\"messages\": %lu, \"seconds\": %.6f, \"rate\": %.1f, \"errors\": %lu, \"lost\": %lu, ", result.messages,
           result.seconds, result.seconds > 0 ? (double)result.messages / result.seconds : 0, result.errors,
           result.lost);
    printf("\"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f", microseconds(0.5), microseconds(0.99), microseconds(0.999));
    print_watched();
    puts("}");
}

int main(int argc, char **argv)
{
    static void (*const runs[])(void) = {run_tcp, run_udp, run_churn, run_idle};
    read_arguments(argc, argv);
    raise_descriptor_limit();
    make_pattern();
    runs[options.kind]();
    if (measuring) /* every connection broke before the time was over */
        stop_measuring(now());
    print_result();
    return result.errors > 0 || result.messages == 0;
}
