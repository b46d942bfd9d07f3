/* print: says who connects and shows the text that arrives, each sender's lines whole. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "../services.h"
#include "../sources.h"
#include "merger.h"
#include "shown.h"

struct settings {
    int64_t pause;
    const char *encoding;
    weir_text_errors errors;
};

struct print {
    struct merger *merger;
    struct sources *sources;
    atomic_bool failing; /* stdout: it was told, and nothing has been written since */
};

/* --- the output --- */

/* Whoever read our output has had enough: print ends. Anything else may pass, a full disk as well: it is told once. */
static bool failed(void *arg)
{
    struct print *print = arg;
    if (errno == EPIPE) {
        weir_server_stop(weir_server_self(), WEIR_NOW);
        return false;
    }
    if (!atomic_exchange(&print->failing, true))
        weir_log(WEIR_LOG_ERROR, "%s: what arrives is dropped", weir_error()->sentence);
    return true;
}

static void written(void *arg, const char *data, size_t size)
{
    struct print *print = arg;
    (void)data;
    (void)size;
    if (atomic_load_explicit(&print->failing, memory_order_relaxed) && atomic_exchange(&print->failing, false))
        weir_log(WEIR_LOG_INFO, "stdout can be written to again");
}

static int start(void *arguments, const weir_server_options *options, void **arg)
{
    (void)options;
    const struct settings *settings = arguments;
    if (shown_check(settings->encoding) < 0)
        return -1;
    struct print *print = calloc(1, sizeof *print);
    if (!print)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "print", NULL);
    struct merger_options merging = {.encoding = settings->encoding,
                                     .errors = settings->errors,
                                     .unfinished = true,
                                     .pause = settings->pause,
                                     .written = written,
                                     .failed = failed,
                                     .arg = print};
    print->sources = sources_new("print", "Datagrams from");
    print->merger = merger_new(&merging);
    if (print->sources && print->merger) {
        *arg = print;
        return 0;
    }
    sources_free(print->sources);
    merger_free(print->merger);
    free(print);
    return -1;
}

static void stop(void *arg)
{
    struct print *print = arg;
    uint64_t lost = merger_free(print->merger);
    if (lost)
        weir_log(WEIR_LOG_WARNING, "%" PRIu64 " bytes of text were not printed", lost);
    sources_free(print->sources);
    free(print);
}

/* --- who sends --- */

/* HOST:PORT; a client of a Unix socket has no name of its own. */
static void name_client(const weir_conn *conn, char *text, size_t size)
{
    weir_address peer;
    if (weir_peer_address(conn, &peer) == 0 && peer.any.sa_family != AF_UNIX)
        weir_address_text(&peer, text, size);
    else
        weir_local_endpoint(conn, text, size);
}

static void serve_stream(weir_conn *conn, void *arg)
{
    struct print *print = arg;
    struct merger_told told;
    char client[400];
    name_client(conn, client, sizeof client);
    weir_log(WEIR_LOG_INFO, "Connection from %s", client);
    if (merger_receive(print->merger, conn, &told) == 0)
        weir_log(WEIR_LOG_INFO, "Connection from %s ended, %" PRIu64 " bytes", client, told.bytes);
    else
        weir_log(WEIR_LOG_INFO, "Connection from %s was cut after %" PRIu64 " bytes: %s", client, told.bytes,
                 weir_error()->reason);
}

static void serve_datagram(const weir_datagram *datagram, void *arg)
{
    struct print *print = arg;
    sources_note(print->sources, &datagram->peer);
    if (merger_message(print->merger, datagram->data, datagram->length) < 0 && errno == EILSEQ)
        weir_log(WEIR_LOG_WARNING, "a datagram is no text: %s", weir_error()->sentence);
}

/* --- what it is --- */

static const char *const errors[] = {"strict", "ignore", "replace", "backslashreplace", NULL}; /* as weir_text_errors */

static const weir_option options[] = {
    {WEIR_OPTION_TIME, "pause", 0, "TIME", offsetof(struct settings, pause),
     "where several clients are connected: how long one must be silent before what it has sent of a line is shown, and "
     "others go on below it",
     "200ms"},
    {WEIR_OPTION_TEXT, "encoding", 0, "NAME", offsetof(struct settings, encoding),
     "what the text comes in: utf-8, latin-1, cp1252, shift_jis and whatever else Python or iconv has by that name",
     "utf-8"},
    {WEIR_OPTION_CHOICE, "errors", 0, "HOW", offsetof(struct settings, errors),
     "what is done with bytes that are no text: strict ends that client's connection and says which byte it was, "
     "ignore "
     "leaves them out, replace shows U+FFFD, backslashreplace shows \\xHH",
     "replace", errors},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", "udp", "unix-datagram", NULL};
static const char *const endpoints[] = {"tcp://:65431", NULL};
static const char *const examples[] = {
    "weir serve print",
    "on port 65431 of this machine alone, 127.0.0.1 and ::1",
    "weir serve print 'tcp://*:65431' --allow 192.168.0.0/16 > MESSAGES",
    "what arrives goes into a file, who connects is told on stderr",
    "weir serve print tcp://:65431 udp://:65431",
    "streams and datagrams, each datagram a line",
    NULL,
};

const weir_service print_service = {
    .size = sizeof(weir_service),
    .name = "print",
    .summary = "says who connects and prints the text that arrives",
    .description =
        "Who connects is told on stderr, and when and how a connection has ended; what arrives is printed on stdout. "
        "Nothing is answered.\n\n"
        "From a single client the text is printed as it arrives. Where several are connected a line of one is never "
        "inside a line of another: a line is printed when it has ended, or when its client has ended or been silent "
        "for the --pause. Longer lines than --line-limit are printed as they come, while the others wait. A datagram "
        "is a line.\n\n"
        "The text is decoded, however it was cut on its way, and printed as UTF-8. Bytes that are none become U+FFFD, "
        "or what --errors says; control characters but newline and tab become \\xHH, so that nobody can steer the "
        "terminal; CR LF is a "
        "newline.\n\n"
        "When the reader of stdout goes away it ends, with status 0. What cannot be written for another reason is "
        "dropped, counted and told.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "echo hello | %w connect %s",
    .options = options,
    .settings_size = sizeof(struct settings),
    .stream = serve_stream,
    .datagram = serve_datagram,
    .start = start,
    .stop = stop,
};
