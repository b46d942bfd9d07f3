/* weir listen: stdin to whoever connects, what they send to stdout; one client, or one after the other. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "effects.h"
#include "listen_all.h"
#include "listen_datagrams.h"

#define AT(member) offsetof(struct listening, member)

static const weir_option listen_options[] = {
    {WEIR_OPTION_FLAG, "keep", 'k', NULL, AT(keep),
     "stays for the next client when one has gone, until a signal; datagrams are heard of everybody as it is"},
    {WEIR_OPTION_FLAG, "all", 0, NULL, AT(all),
     "everybody at once, until a signal: whole lines of each to stdout, stdin to all of them"},
    {WEIR_OPTION_FLAG, "udp", 'u', NULL, AT(dialling.udp), "hears datagrams"},
    {WEIR_OPTION_FLAG, "unix", 'U', NULL, AT(dialling.local), "the endpoint is the path of a Unix socket"},
    {WEIR_OPTION_FLAG, "ipv4", '4', NULL, AT(dialling.ipv4), "on IPv4 alone"},
    {WEIR_OPTION_FLAG, "ipv6", '6', NULL, AT(dialling.ipv6), "on IPv6 alone"},
    {WEIR_OPTION_FLAG, "numeric", 'n', NULL, AT(dialling.numeric), "looks no names up: the host is an address"},
    {WEIR_OPTION_TEXT, "source", 's', "ADDRESS", AT(dialling.source),
     "the address to listen on, where -p names the port"},
    {WEIR_OPTION_TEXT, "source-port", 'p', "PORT", AT(dialling.source_port),
     "the port to listen on, in place of an ENDPOINT"},
    {WEIR_OPTION_FLAG, "verbose", 'v', NULL, AT(dialling.verbose), "says each step on stderr"},
    {WEIR_OPTION_INTEGER, "ready-fd", 0, "N", AT(ready_fd),
     "a descriptor that is written to and closed when it listens", NULL, NULL, 3, INT_MAX},
    {0},
};

/* Those of a server, with defaults for somebody who sits before it: nobody is cut for being silent. */
static const weir_option limit_options[] = {
    {WEIR_OPTION_LIST, "allow", 0, "CIDR", AT(server.rules),
     "lets clients of that address or network in; the first --allow or --deny that matches decides, and who matches "
     "none is let in unless there is an --allow"},
    {WEIR_OPTION_LIST, "deny", 0, "CIDR", AT(server.rules), "refuses clients of that address or network"},
    {WEIR_OPTION_TIME, "wait", 0, "TIME", AT(wait), "the longest time to wait for the first client", "never"},
    {WEIR_OPTION_TIME, "lifetime", 0, "TIME", AT(server.lifetime), "the longest time that a connection may last",
     "never"},
    {WEIR_OPTION_TIME, "write-timeout", 0, "TIME", AT(server.write_timeout),
     "until a client is cut that takes none of what is to be sent to it", "never"},
    {WEIR_OPTION_TIME, "drain-timeout", 0, "TIME", AT(server.drain_timeout),
     "for a client to finish after SIGTERM or Ctrl-C, before it is cut", "1s"},
    {WEIR_OPTION_LIMIT, "max-connections", 0, "N", AT(server.max_connections),
     "clients at once with --all, beyond which others wait; by default 90 % of the descriptor limit"},
    {WEIR_OPTION_LIMIT, "max-per-address", 0, "N", AT(server.max_per_address),
     "clients at once from one address (IPv6: one /64) with --all, loopback exempt", "100"},
    {WEIR_OPTION_SIZE_LIMIT, "line-limit", 0, "SIZE", AT(server.line_limit),
     "how much of a line --all keeps until it has ended; of a longer one the others await the end", "64k"},
    {WEIR_OPTION_TEXT, "cert", 0, "FILE", AT(server.listen.tls.cert), "tls: the certificate to show (PEM)"},
    {WEIR_OPTION_TEXT, "key", 0, "FILE", AT(server.listen.tls.key),
     "tls: its private key; by default in the same file"},
    {WEIR_OPTION_TEXT, "client-ca", 0, "FILE", AT(server.listen.tls.ca),
     "tls: lets in only clients with a certificate that hangs on one of those in FILE"},
    {WEIR_OPTION_INTEGER, "backlog", 0, "N", AT(server.listen.backlog), "clients that may wait for their turn", "4096",
     NULL, 1, 65535},
    {WEIR_OPTION_FLAG, "delay", 0, NULL, AT(server.listen.socket.delay), "gathers small output (Nagle's algorithm)"},
    {WEIR_OPTION_FLAG, "keepalive", 0, NULL, AT(server.listen.socket.keepalive),
     "probes clients that are silent (SO_KEEPALIVE)"},
    {0},
};

static const struct option_section sections[] = {
    {"Options", session_options}, {"Listening", listen_options}, {"Limits", limit_options}, {0}};

/* --- the endpoint --- */

static int wrong_family(const struct dialling *dialling, const char *reason)
{
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "listen", dialling->endpoint.text, "%s", reason);
}

/* Has -4 and -6 name what they mean: the loopback address or every address of that family. */
static int choose_family(struct dialling *dialling)
{
    const weir_endpoint *endpoint = &dialling->endpoint;
    if ((!dialling->ipv4 && !dialling->ipv6) || endpoint->scheme == WEIR_SCHEME_UNIX)
        return 0;
    if (endpoint->host_kind == WEIR_HOST_NAME)
        return wrong_family(dialling, "-4 and -6 are for addresses: name the one to listen on in place of the name");
    if (endpoint->host_kind == WEIR_HOST_ADDRESS)
        return dialling->ipv6 == (strchr(endpoint->host, ':') != NULL)
                   ? 0
                   : wrong_family(dialling, "the address is not of that family");
    bool any = endpoint->host_kind == WEIR_HOST_ANY;
    const char *host = dialling->ipv4 ? (any ? "0.0.0.0" : "127.0.0.1") : any ? "[::]" : "[::1]";
    char text[400];
    snprintf(text, sizeof text, "%s://%s:%u", weir_scheme_name(endpoint->scheme), host, endpoint->port);
    return weir_parse_endpoint(text, NULL, &dialling->endpoint);
}

/* -p PORT and -s ADDRESS in place of an endpoint, as nc has it. */
static size_t read_local_end(struct dialling *dialling)
{
    const char *address = dialling->source ? dialling->source : "";
    bool brackets = address[0] != '[' && strchr(address, ':') != NULL;
    char text[400];
    snprintf(text, sizeof text, "%s%s%s:%s", brackets ? "[" : "", address, brackets ? "]" : "", dialling->source_port);
    const char *items[] = {text, NULL};
    return dialling_read(dialling, &(weir_arguments){.items = items, .count = 1, .dashes = 1});
}

static int read_endpoint(struct dialling *dialling, const weir_arguments *words)
{
    if (words->count == 0 && dialling->source_port)
        return read_local_end(dialling) == 0 ? -1 : 0;
    size_t used = dialling_read(dialling, words);
    if (used == 0)
        return -1;
    if (dialling->source || dialling->source_port)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "listen", dialling->endpoint.text,
                         "-s and -p are for where no endpoint is named");
    if (words->count > used)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "listen", words->items[used], "one endpoint is all it takes");
    return 0;
}

/* How it listens. */
enum { STREAM = 1, ALL = 2, ASKING = 4, ENCODED = 8, SECURE = 16 };

static const struct effect effects[] = {
    {"prompt", STREAM, "for streams: datagrams come from anybody, at any time"},
    {"end-with-peer", STREAM, "for streams: datagrams have no end"},
    {"lifetime", STREAM, "for streams: datagrams have no connection"},
    {"write-timeout", STREAM, "for streams: datagrams have no connection"},
    {"backlog", STREAM, "for streams: datagrams have no connection"},
    {"delay", STREAM, "for streams: a datagram goes at once"},
    {"keepalive", STREAM, "for streams: datagrams have no connection"},
    {"max-connections", ALL, "for --all: else there is one client at a time"},
    {"max-per-address", ALL, "for --all: else there is one client at a time"},
    {"line-limit", ALL, "for --all"},
    {"cert", SECURE, "for tls:// and https:// endpoints"},
    {"key", SECURE, "for tls:// and https:// endpoints"},
    {"client-ca", SECURE, "for tls:// and https:// endpoints"},
    {"quiet", ASKING, "for --prompt, and for weir connect -u"},
    {"errors", ENCODED, "for --encoding: else bytes go as they are"},
    {0},
};

static int check_effects(struct listening *listening)
{
    weir_option_set sets[] = {{session_options, &listening->session}, {limit_options, listening}};
    unsigned there = (listening->dialling.endpoint.datagram ? 0 : STREAM) | (listening->all ? ALL : 0) |
                     (listening->session.prompt ? ASKING : 0) | (listening->session.encoding ? ENCODED : 0) |
                     (weir_scheme_is_secure(listening->dialling.endpoint.scheme) ? SECURE : 0);
    return effects_check(effects, there, sets, 2, "listen", listening->dialling.endpoint.text);
}

static int read_words(struct listening *listening, const weir_arguments *words)
{
    if (read_endpoint(&listening->dialling, words) < 0 || choose_family(&listening->dialling) < 0)
        return -1;
    if (listening->all && listen_all_check(listening) < 0)
        return -1;
    if (check_effects(listening) < 0)
        return -1;
    return session_check(&listening->session, "listen");
}

/* --- one client after the other --- */

/* With the first client nobody else is let in, unless -k: whoever waits is refused when it ends. */
static void serve(weir_conn *conn, void *arg)
{
    struct listening *listening = arg;
    struct session session = {.settings = &listening->session,
                              .dialling = &listening->dialling,
                              .command = "listen",
                              .conn = conn,
                              .recorder = listening->recorder};
    char there[400];
    if (!listening->keep)
        weir_server_stop(listening->listener, WEIR_FOREVER);
    listening->heard = true;
    dialling_say(&listening->dialling, "connected from %s", weir_peer_endpoint(conn, there, sizeof there));
    listening->status = session_run(&session);
    if (!listening->keep)
        weir_server_stop(listening->listener, WEIR_NOW);
}

/* A run, in a fiber, whose error ends with it. */
struct run {
    struct listening *listening;
    weir_error_kind kind;
    int number;
    char step[32], subject[400], reason[300];
};

static void keep_error(struct run *run)
{
    const weir_error_info *error = weir_error();
    run->kind = error->kind;
    run->number = error->number;
    snprintf(run->step, sizeof run->step, "%s", error->step);
    snprintf(run->subject, sizeof run->subject, "%s", error->subject);
    snprintf(run->reason, sizeof run->reason, "%s", error->reason);
}

/* A fiber: has the server stop if nobody has come in time. */
static int wait_for_client(void *arg)
{
    struct listening *listening = arg;
    if (weir_sleep(listening->wait) < 0 || listening->heard)
        return 0;
    listening->timed_out = true;
    weir_server_stop(listening->listener, WEIR_NOW);
    return 0;
}

static int run_server(void *arg)
{
    struct run *run = arg;
    struct listening *listening = run->listening;
    weir_run_options options = {.size = sizeof options, .ready_fd = (int)listening->ready_fd};
    weir_fiber *waiter = weir_spawn(wait_for_client, listening, WEIR_OPTIONS(weir_fiber_options, .name = "wait"));
    if (!waiter || weir_run_servers(&listening->listener, 1, &options) < 0)
        keep_error(run);
    if (waiter) {
        weir_cancel_fiber(waiter);
        weir_join(waiter, NULL, WEIR_FOREVER);
    }
    return 0;
}

int listening_run(struct listening *listening)
{
    struct run run = {.listening = listening};
    if (weir_run(run_server, &run, WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_EPOLL)) < 0)
        return -1;
    if (run.number)
        return weir_fail(run.kind, run.number, run.step, run.subject, "%s", run.reason);
    if (listening->timed_out)
        return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "listen", listening->dialling.endpoint.text,
                         "nobody came in time");
    return 0;
}

static int serve_in_turn(struct listening *listening)
{
    listening->server.model = WEIR_MODEL_ITERATIVE;
    listening->server.workers = 1;
    listening->listener = weir_server_new(&listening->server);
    if (!listening->listener)
        return -1;
    if (weir_server_add(listening->listener, listening->dialling.endpoint.text, serve, listening) < 0)
        return -1;
    return listening_run(listening);
}

/* Who was to stay was told to go, which is no early end. */
int listening_unheard(const struct listening *listening)
{
    if (listening->keep)
        return STATUS_DONE;
    weir_fail(WEIR_ERROR_CLOSED, ECANCELED, "listen", listening->dialling.endpoint.text,
              "ended by a signal before anybody came");
    return failed();
}

static int listen_in_turn(struct listening *listening)
{
    if (serve_in_turn(listening) < 0)
        return failed();
    if (!listening->heard)
        return listening_unheard(listening);
    return listening->keep ? STATUS_DONE : listening->status;
}

static int listen_and_talk(struct listening *listening)
{
    if (listening->session.hex && !(listening->recorder = recorder_open(listening->session.hex)))
        return failed();
    int status = listening->all                          ? listen_all(listening)
                 : listening->dialling.endpoint.datagram ? listen_datagrams(listening)
                                                         : listen_in_turn(listening);
    weir_server_free(listening->listener);
    if (recorder_close(listening->recorder) < 0 && status == STATUS_DONE)
        status = failed();
    return status;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct listening listening = {
        .dialling.command = "listen",
        .server = {.size = sizeof listening.server, .name = "listen", .idle_timeout = WEIR_FOREVER},
    };
    weir_option_set sets[] = {
        {session_options, &listening.session}, {listen_options, &listening}, {limit_options, &listening}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 3, argc, argv, &status))
        status = read_words(&listening, &line.arguments) < 0 ? failed() : listen_and_talk(&listening);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]... ENDPOINT", "[OPTION]... -p PORT", NULL};
static const char *const examples[] = {
    "weir listen 8000 > FILE",
    "keeps what the first client sends, and ends with it",
    "weir listen 8000 < FILE",
    "sends it a file",
    "weir listen -k --hex RECORD '*:8000'",
    "one client after the other, from anywhere, everything recorded",
    "weir listen --all 8000 >> LINES < /dev/null",
    "gathers the lines of everybody who connects",
    "weir listen --prompt '> ' unix:/tmp/talk.socket",
    "a line to the client, its answer, and again",
    "weir listen tls://:8443 --cert CERT.pem --key KEY.pem",
    "by TLS",
    "weir listen -u 9999",
    "prints the datagrams of everybody",
    NULL,
};

const struct command listen_command = {
    .name = "listen",
    .summary = "stdin to who connects, what they send to stdout",
    .usage = usage,
    .description =
        "Waits for a client, then both directions at once, each to its own end: when stdin ends its end is passed on, "
        "and what the client still sends is waited for; when the client ends its side the rest of stdin still goes to "
        "it, unless stdin is a terminal or --end-with-peer is given. Others are refused meanwhile, or with -k wait "
        "for their turn.\n\n"
        "With --all nobody waits: a line of one client is never inside a line of another, and what stdin has goes to "
        "all who are there; it is read once the first has come. Who takes no more of it is waited for, for a second; "
        "then lines for him are dropped, counted and told. The end of stdin is passed on to all, except that of an "
        "empty one such as /dev/null; a client that has ended its side goes on hearing, unless stdin has ended.\n\n"
        "Datagrams are heard of everybody; what stdin has goes to whoever was heard last, each piece read a datagram. "
        "There is no end but a signal or --timeout.\n\n"
        "Without a host it is this machine alone; '*' is everybody, --allow some. Port 0 lets the system choose; the "
        "line on stderr says which. SIGTERM and Ctrl-C end it.\n\n"
        "Exit status: 0 done, also when the reader of stdout went away, and with -k or --all after a signal; 1 it "
        "could not "
        "listen, 2 wrong usage, 3 timed out, 4 the connection was cut, the client closed before it had taken all, or "
        "nobody came before a signal.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
