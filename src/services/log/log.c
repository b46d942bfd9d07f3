/* log: takes records as datagrams and writes each as a line; it never answers. */
#include <errno.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "../services.h"
#include "store.h"

enum { RECEIVE_BUFFER = 16 << 20, FILES_KEPT = 5 };

/* How long a worker lets datagrams gather. */
#define GATHER_TIME WEIR_MS(2)

struct settings {
    const char *output;
    enum record_format format;
    int64_t rotate; /* 0: not given */
    int64_t keep;   /* likewise */
};

/* Which options make sense together. 0, or -1 of kind USAGE. */
static int check_settings(const struct settings *settings)
{
    const char *without = NULL;
    if (settings->keep && !settings->rotate)
        without = "--keep says how many files there are beside the one that --rotate begins anew: it is not given";
    if (settings->rotate && !settings->output)
        without = "--rotate is for a file, which --output names: it is not given";
    return without ? weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", "log", "%s", without) : 0;
}

static int start(void *arguments, const weir_server_options *options, void **arg)
{
    (void)options;
    const struct settings *settings = arguments;
    if (check_settings(settings) < 0)
        return -1;
    struct output_options output = {
        .path = settings->output,
        .rotate = settings->rotate,
        .keep = settings->keep ? settings->keep : FILES_KEPT,
    };
    *arg = store_new(settings->format, &output);
    return *arg ? 0 : -1;
}

static void defaults(weir_server_options *options)
{
    if (!options->listen.socket.receive_buffer)
        options->listen.socket.receive_buffer = RECEIVE_BUFFER;
    if (!options->gather_time)
        options->gather_time = GATHER_TIME;
}

static void reload(void *arg)
{
    if (store_reopen(arg) < 0)
        weir_log_error();
}

static void served(void *arg, const weir_counters *counters)
{
    store_dropped(arg, counters->datagrams_dropped);
}

static void stop(void *arg)
{
    store_free(arg);
}

static void serve_datagram(const weir_datagram *datagram, void *arg)
{
    store_add(arg, datagram);
}

/* --- what it is --- */

static const char *const formats[] = {"text", "json", NULL}; /* as record_format */

static const weir_option options[] = {
    {WEIR_OPTION_TEXT, "output", 'o', "FILE", offsetof(struct settings, output),
     "the file that records are added to, created where there is none; SIGHUP has it opened again; by default stdout"},
    {WEIR_OPTION_CHOICE, "format", 0, "FORMAT", offsetof(struct settings, format),
     "text: time, name, level and message in one line; json: an object a line with all that the record has", "text",
     formats},
    {WEIR_OPTION_SIZE, "rotate", 0, "SIZE", offsetof(struct settings, rotate),
     "how large the file may become: before that it is renamed to FILE.1, that to FILE.2 and so on, and a new one "
     "begun"},
    {WEIR_OPTION_INTEGER, "keep", 0, "N", offsetof(struct settings, keep),
     "how many renamed files are kept (5 unless told otherwise)", NULL, NULL, 1, 10000},
    {0},
};

static const char *const transports[] = {"udp", "unix-datagram", NULL};
static const char *const endpoints[] = {"udp://:1234", NULL};
static const char *const examples[] = {
    "weir serve log",
    "on port 1234 of this machine alone, records to stdout",
    "weir serve log 'udp://*:514' --output /tmp/records --rotate 100M --keep 9",
    "for every device of the network; the last gigabyte is kept",
    "weir serve log --format json",
    "every field of every record, for programs",
    "weir serve log 'unix:/tmp/log.socket?type=datagram'",
    "for programs of this machine, through a Unix socket",
    NULL,
};

const weir_service log_service = {
    .size = sizeof(weir_service),
    .name = "log",
    .summary = "writes the records that arrive as datagrams",
    .description =
        "Every datagram becomes one line: syslog's (RFC 5424 and RFC 3164), those of Python's SysLogHandler and "
        "DatagramHandler, and any other as plain text. A line has the time, the name of who logged with @ and the "
        "sender's host, the level and the message; control characters are escaped, so that nobody can forge a line. "
        "A datagram that was cut on its way is marked. Nothing is answered.\n\n"
        "Lines are written together, some 10 ms after they came, whole; one that is left unfinished by a machine that "
        "lost its power, or a kill in the middle of a write, is ended at the next start. While the output cannot be "
        "written "
        "to, as when a disk is full, up to 16 MiB of them are kept. What is lost beyond that, and what the system had "
        "to drop since it came too fast, is counted and written as a record of its own: \"7 datagrams dropped\". So "
        "records that are stored and those told as dropped are as many as were sent; the sums are told at the end.\n\n"
        "The receive buffer is 16 MiB where that is allowed (with CAP_NET_ADMIN, or by net.core.rmem_max).\n\n"
        "When the reader of stdout goes away it ends, with status 0.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "echo hello | %w connect %s",
    .options = options,
    .settings_size = sizeof(struct settings),
    .datagram = serve_datagram,
    .defaults = defaults,
    .start = start,
    .reload = reload,
    .served = served,
    .stop = stop,
};
