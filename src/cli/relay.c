/* weir relay: every client of one endpoint is joined with a connection of its own to another. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../services/shared_count.h"
#include "relaying.h"
#include "securing.h"
#include "serving.h"
#include "via.h"

struct relay_settings {
    struct relay relay;
    bool ipv4, ipv6;
    weir_endpoint from;
    struct run_settings run;
    weir_server_options server;
    weir_option_list via;
};

#define AT(member) offsetof(struct relay_settings, member)

static const weir_option relay_options[] = {
    {WEIR_OPTION_TIME, "connect-timeout", 0, "TIME", AT(relay.connect.timeout), "how long connecting to TO may take",
     "10s"},
    {WEIR_OPTION_FLAG, "ipv4", '4', NULL, AT(ipv4), "to TO by IPv4 alone"},
    {WEIR_OPTION_FLAG, "ipv6", '6', NULL, AT(ipv6), "to TO by IPv6 alone"},
    {WEIR_OPTION_TEXT, "source", 's', "ADDRESS", AT(relay.connect.bind),
     "the address of this machine to connect to TO from"},
    {WEIR_OPTION_TIME, "session-timeout", 0, "TIME", AT(relay.session_timeout),
     "datagrams: a client is forgotten, and its socket to TO closed, when nothing has come either way for so long",
     "2m"},
    {WEIR_OPTION_INTEGER, "max-sessions", 0, "N", AT(relay.most_sessions),
     "datagrams: clients at once, beyond which those of new ones are dropped", "1000", NULL, 1, 4000},
    {WEIR_OPTION_TEXT, "ca", 0, "FILE", AT(relay.connect.tls.ca),
     "tls to TO: trusts certificates that hang on those in FILE (PEM), instead of the system's"},
    {WEIR_OPTION_TEXT, "to-cert", 0, "FILE", AT(relay.connect.tls.cert), "tls to TO: the certificate to show (PEM)"},
    {WEIR_OPTION_TEXT, "to-key", 0, "FILE", AT(relay.connect.tls.key), "tls to TO: its private key"},
    {WEIR_OPTION_TEXT, "server-name", 0, "NAME", AT(relay.connect.tls.server_name),
     "tls to TO: the name that its certificate must be for; by default TO's host"},
    {WEIR_OPTION_FLAG, "insecure", 0, NULL, AT(relay.connect.tls.insecure),
     "tls to TO: takes any certificate, so that anybody in between can read and change everything"},
    {WEIR_OPTION_FLAG, "verbose", 'v', NULL, AT(relay.verbose), "a line for each client when it has gone"},
    {0},
};

static const struct option_section sections[] = {{"Options", relay_options},
                                                 {"Running", run_options},
                                                 {"Limits and how it serves", weir_server_option_table},
                                                 {"TLS, of FROM", weir_server_tls_option_table},
                                                 {"To TO through others", via_options},
                                                 {0}};

/* --- what is asked for --- */

static bool is_local_name(const weir_endpoint *endpoint)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};
    if (endpoint->host_kind == WEIR_HOST_DEFAULT)
        return true;
    for (size_t i = 0; names[i]; i++)
        if (strcasecmp(endpoint->host, names[i]) == 0)
            return true;
    return false;
}

/* Whether TO is this relay itself, as far as the two words tell: it would be its own client for ever. */
static bool is_itself(const weir_endpoint *from, const weir_endpoint *to)
{
    if (from->scheme != to->scheme || from->datagram != to->datagram)
        return false;
    if (from->scheme == WEIR_SCHEME_UNIX)
        return from->abstract == to->abstract && strcmp(from->path, to->path) == 0;
    if (from->port != to->port)
        return false;
    bool own = from->host_kind == WEIR_HOST_ANY || from->host_kind == WEIR_HOST_DEFAULT;
    return strcasecmp(from->host, to->host) == 0 || (own && is_local_name(to)) ||
           (is_local_name(from) && to->host_kind == WEIR_HOST_DEFAULT);
}

static int usage_error(const char *subject, const char *reason)
{
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "relay", subject, "%s", reason);
}

static int check(const struct relay_settings *settings)
{
    const weir_endpoint *from = &settings->from, *to = &settings->relay.to;
    bool local = to->scheme == WEIR_SCHEME_UNIX;
    if (from->datagram != to->datagram)
        return usage_error(to->text, from->datagram
                                         ? "datagrams cannot go to a stream, which has no bounds between them"
                                         : "a stream cannot go to datagrams, which have no end");
    if (!local && (to->host_kind == WEIR_HOST_ANY || to->port == 0))
        return usage_error(to->text, "TO is a host and a port to connect to");
    if (settings->via.count == 0 && is_itself(from, to))
        return usage_error(to->text, "this is where it listens itself");
    if (settings->ipv4 && settings->ipv6)
        return usage_error(to->text, "-4 and -6 exclude each other");
    if (local && (settings->relay.connect.bind || settings->ipv4 || settings->ipv6))
        return usage_error(to->text, "-4, -6 and -s are for IP addresses");
    if (via_check(&settings->via, to, "relay") < 0 || tls_check(&settings->server.listen.tls, from, "relay", "") < 0 ||
        tls_check(&settings->relay.connect.tls, to, "relay", "") < 0)
        return -1;
    if (from->datagram && settings->server.model == WEIR_MODEL_ITERATIVE)
        return usage_error(from->text, "one client after the other is for streams: datagrams have no end");
    return 0;
}

static int read_words(struct relay_settings *settings, const weir_arguments *words)
{
    if (words->count < 2)
        return usage_error(words->count ? words->items[0] : "", "FROM and TO are needed; see weir relay --help");
    if (words->count > 2)
        return usage_error(words->items[2], "two endpoints are all it takes");
    if (weir_parse_endpoint(words->items[0], "tcp", &settings->from) < 0 ||
        weir_parse_endpoint(words->items[1], "tcp", &settings->relay.to) < 0)
        return -1;
    return check(settings);
}

/* --- serving --- */

static int add(weir_server *server, struct relay_settings *settings)
{
    struct relay *relay = &settings->relay;
    if (!settings->from.datagram)
        return weir_server_add(server, settings->from.text, relay_stream, relay);
    relay->sessions = relay_sessions_new();
    return relay->sessions ? weir_server_add_datagrams(server, settings->from.text, relay_datagram, relay) : -1;
}

static void stopping(void *arg)
{
    struct relay *relay = arg;
    if (relay->sessions)
        relay_sessions_stop(relay);
}

static void reload(void *arg)
{
    reload_certificate(((struct relay *)arg)->server);
}

/* What the counters of the server do not tell: one line, of those that are not zero. */
static void log_counters(void *arg)
{
    const struct relay *relay = arg;
    const struct relay_counters *counters = relay->counters;
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"unreached", counters->unreached},      {"cut", counters->cut},
               {"sessions", counters->sessions},        {"sessions_open", (uint64_t)shared_count_sum(relay->open)},
               {"sessions_refused", counters->refused}, {"overrun", counters->overrun},
               {"undelivered", counters->undelivered}};
    char text[400] = "";
    size_t length = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value && length < sizeof text)
            length += (size_t)snprintf(text + length, sizeof text - length, " %s=%" PRIu64, all[i].name, all[i].value);
    weir_log(WEIR_LOG_INFO, "relay to %s:%s", relay->to.text, *text ? text : " nothing yet");
}

static int serve(struct relay_settings *settings)
{
    weir_server_options options = settings->server;
    options.name = "relay";
    relay_halve_connections(&options);
    if (settings->from.datagram && settings->from.scheme == WEIR_SCHEME_UNIX && !options.workers)
        options.workers = 1; /* several would take from one socket, and mix up the order */
    weir_server *server = weir_server_new(&options);
    int result = server ? add(server, settings) : -1;
    weir_run_options run = serving_run_options(&settings->run, &options);
    run.counted = log_counters;
    run.stopping = stopping;
    run.reload = options.listen.tls.cert ? reload : NULL;
    run.arg = &settings->relay;
    settings->relay.server = server;
    if (result == 0)
        result = weir_run_servers(&server, 1, &run);
    int status = result < 0 ? failed() : STATUS_DONE;
    weir_server_free(server);
    relay_sessions_free(settings->relay.sessions);
    return status;
}

/* Counters are in memory that the processes share, where there are several. */
static int run_relay(struct relay_settings *settings)
{
    struct relay *relay = &settings->relay;
    relay->most_per_address = settings->server.max_per_address;
    serving_log(&settings->run);
    relay->counters = mmap(NULL, sizeof *relay->counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (relay->counters == MAP_FAILED) {
        weir_fail(WEIR_ERROR_MEMORY, errno, "relay", "", NULL);
        return failed();
    }
    relay->open = shared_count_new();
    relay->connect.size = sizeof relay->connect;
    relay->connect.via = settings->via.items;
    relay->connect.family = settings->ipv4 ? AF_INET : settings->ipv6 ? AF_INET6 : 0;
    int status = relay->open ? serve(settings) : failed();
    shared_count_free(relay->open);
    munmap(relay->counters, sizeof *relay->counters);
    return status;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct relay_settings settings = {.server.size = sizeof settings.server};
    weir_option_set sets[] = {{relay_options, &settings},
                              {run_options, &settings.run},
                              {weir_server_option_table, &settings.server},
                              {weir_server_tls_option_table, &settings.server},
                              {via_options, &settings.via}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 5, argc, argv, &status))
        status = read_words(&settings, &line.arguments) < 0 ? failed() : run_relay(&settings);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]... FROM TO", NULL};
static const char *const examples[] = {
    "weir relay :9000 :8000",
    "whoever connects to port 9000 of this machine talks with port 8000",
    "weir relay 'tcp://*:9000' 127.0.0.1:8000 --allow 192.168.0.0/16",
    "the same for a network that may come in",
    "weir relay :9000 unix:/tmp/echo.socket",
    "from TCP to a Unix socket",
    "weir relay unix:/tmp/web.socket example.org:80",
    "and the other way round",
    "weir relay tls://:9443 :8000 --cert CERT.pem --key KEY.pem",
    "TLS for a server that has none",
    "weir relay :9000 tls://example.org:443 --ca CA.pem",
    "and for a client that has none",
    "weir relay udp://:5300 udp://127.0.0.1:53 --session-timeout 10s",
    "datagrams: each client has a socket of its own to the name server",
    "weir relay -v :9000 :8000 --max-connections 100 --idle-timeout 1m",
    "a line for each client, and limits",
    NULL,
};

const struct command relay_command = {
    .name = "relay",
    .summary = "joins every client of one endpoint with another",
    .usage = usage,
    .description =
        "Listens on FROM; each client gets a connection of its own to TO, and what comes from either side goes to the "
        "other. When one side ends, its end is passed on and the other direction goes on to its own end; when one is "
        "reset, or TO cannot be reached, the other is reset too, so that nobody takes it for an end. Names are looked "
        "up anew for every client.\n\n"
        "FROM is an endpoint as of weir serve, TO as of weir connect: both of streams (tcp, tls, http, https, unix) or "
        "both of "
        "datagrams "
        "(udp, unix:PATH?type=datagram). Clients of datagrams are told apart by their addresses: each has a session, "
        "with a socket of its own to TO, until nothing has come either way for --session-timeout.\n\n"
        "It serves until SIGTERM or SIGINT: then clients may finish, and a session of datagrams ends once it has heard "
        "nothing for two seconds. The limits of servers hold for both sides of a "
        "client's connection; a client takes two descriptors, so --max-connections is 45 % of their limit unless told "
        "otherwise. Answers to datagrams are limited by --replies-per-second for clients beyond loopback. SIGUSR1 "
        "prints counters.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
