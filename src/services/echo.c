/* echo: sends back what it receives (RFC 862), with a text before each chunk if asked to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "services.h"
#include "sources.h"

struct settings {
    const char *prefix;
};

struct echo {
    struct iovec prefix; /* the text is argv's */
    struct sources *sources;
};

static int start(void *settings, const weir_server_options *options, void **arg)
{
    (void)options;
    const char *prefix = ((struct settings *)settings)->prefix;
    struct echo *echo = calloc(1, sizeof *echo);
    if (!echo)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "echo", NULL);
    if (!(echo->sources = sources_new("echo", "Echoing data back to"))) {
        free(echo);
        return -1;
    }
    if (prefix)
        echo->prefix = (struct iovec){.iov_base = (char *)prefix, .iov_len = strlen(prefix)};
    *arg = echo;
    return 0;
}

static void stop(void *arg)
{
    struct echo *echo = arg;
    sources_free(echo->sources);
    free(echo);
}

/* An answer to a datagram is never longer than it, or echo could be used to flood others: so it takes no prefix. */
static int check(void *arg, const weir_endpoint *endpoint)
{
    struct echo *echo = arg;
    if (endpoint->datagram && echo->prefix.iov_len)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", endpoint->text,
                         "--prefix is for streams: an answer to a datagram is never longer than it");
    return 0;
}

static int send_prefixed(weir_conn *conn, struct iovec prefix, char *data, size_t size)
{
    struct iovec both[] = {prefix, {.iov_base = data, .iov_len = size}};
    return weir_send_vector_all(conn, both, 2);
}

static void serve_stream(weir_conn *conn, void *arg)
{
    const struct echo *echo = arg;
    char *data;
    ssize_t size;
    while ((size = weir_receive(conn, &data)) > 0) {
        int sent = echo->prefix.iov_len ? send_prefixed(conn, echo->prefix, data, (size_t)size)
                                        : weir_send_all(conn, data, (size_t)size);
        if (sent < 0)
            return;
    }
}

static void serve_datagram(const weir_datagram *datagram, void *arg)
{
    struct echo *echo = arg;
    if (weir_reply(datagram, datagram->data, datagram->length) == 0)
        sources_note(echo->sources, &datagram->peer);
}

static const weir_option options[] = {
    {WEIR_OPTION_TEXT, "prefix", 0, "TEXT", offsetof(struct settings, prefix),
     "sent before each chunk that was received (streams only)"},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", "udp", "unix-datagram", NULL};
static const char *const endpoints[] = {"tcp://:8000", NULL};
static const char *const examples[] = {
    "weir serve echo",
    "on port 8000 of this machine alone, 127.0.0.1 and ::1",
    "weir serve echo :2000 --prefix 'echo -> '",
    "with a text before each chunk",
    "weir serve echo tcp://:8000 udp://:31337",
    "streams and datagrams; each source of datagrams is named once",
    "weir serve echo 'tcp://*:8000' --max-per-address 10",
    "for everybody who reaches this machine, ten connections each",
    "weir serve echo unix:/tmp/echo.socket --model thread",
    "on a Unix socket, a thread per client",
    NULL,
};

const weir_service echo_service = {
    .size = sizeof(weir_service),
    .name = "echo",
    .summary = "sends back what it receives",
    .description =
        "Every byte that a client sends comes back to it, on tcp and on Unix sockets until the client ends its side; "
        "what it sent before that is still answered.\n\n"
        "Datagrams are answered where a udp or unix datagram endpoint is named, one for one and never longer than "
        "they came. Who is answered is logged, once a source and then at most once a minute with the count. Senders "
        "that could be other servers (ports below 1024, broadcast, the server itself) are not answered, so that no "
        "loop can be started with a forged address.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w ask %s hello",
    .options = options,
    .settings_size = sizeof(struct settings),
    .stream = serve_stream,
    .datagram = serve_datagram,
    .start = start,
    .stop = stop,
    .check = check,
};
