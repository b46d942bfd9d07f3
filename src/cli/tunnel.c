/* weir tunnel: whoever connects here talks with somebody whom another machine reaches, through one ssh for all. */
#include "tunnel.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "securing.h"
#include "serving.h"
#include "via.h"

struct tunnel_settings {
    struct tunnel tunnel;
    struct relay_counters counters;
    weir_option_list via;
    const char *local; /* NULL: the first free port */
    struct run_settings run;
    weir_server_options server;

    weir_fiber *opener;    /* while it is opened for the first time */
    weir_signals *signals; /* which end that */
    int signal;            /* the one that has; 0: none */
};

enum { FIRST_PORT = 8000, PORTS = 10 };

#define AT(member) offsetof(struct tunnel_settings, member)

static const weir_option tunnel_options[] = {
    {WEIR_OPTION_TIME, "connect-timeout", 0, "TIME", AT(tunnel.path.timeout), "how long ssh may take to log in", "30s"},
    {WEIR_OPTION_TIME, "wait", 0, "TIME", AT(tunnel.wait),
     "how long a client waits where the way is gone, before its connection is reset", "5s"},
    {WEIR_OPTION_FLAG, "verbose", 'v', NULL, AT(tunnel.relay.verbose), "a line for each client when it has gone"},
    {0},
};

/* Those of a server, with defaults for somebody who keeps a connection open all day. */
static const weir_option limit_options[] = {
    {WEIR_OPTION_LIST, "allow", 0, "CIDR", AT(server.rules),
     "lets clients of that address or network in; the first --allow or --deny that matches decides, and who matches "
     "none is let in unless there is an --allow"},
    {WEIR_OPTION_LIST, "deny", 0, "CIDR", AT(server.rules), "refuses clients of that address or network"},
    {WEIR_OPTION_LIMIT, "max-connections", 0, "N", AT(server.max_connections),
     "clients at once, beyond which others wait; by default 45 % of the descriptor limit"},
    {WEIR_OPTION_LIMIT, "max-per-address", 0, "N", AT(server.max_per_address),
     "clients at once from one address (IPv6: one /64), loopback exempt", "100"},
    {WEIR_OPTION_TIME, "idle-timeout", 0, "TIME", AT(server.idle_timeout),
     "until a client is closed of whom nothing comes and nothing goes to it", "never"},
    {WEIR_OPTION_TIME, "write-timeout", 0, "TIME", AT(server.write_timeout),
     "until a client is cut that takes none of what is to be sent to it", "never"},
    {WEIR_OPTION_TIME, "lifetime", 0, "TIME", AT(server.lifetime), "the longest time that a connection may last",
     "never"},
    {WEIR_OPTION_TIME, "drain-timeout", 0, "TIME", AT(server.drain_timeout),
     "for clients to finish after SIGTERM or Ctrl-C, before they are cut", "5s"},
    {0},
};

static const struct option_section sections[] = {{"Options", tunnel_options},
                                                 {"Through others", via_options},
                                                 {"Running", run_alone_options},
                                                 {"Limits", limit_options},
                                                 {"TLS, of LOCAL", weir_server_tls_option_table},
                                                 {0}};

/* --- what is asked for --- */

static int usage_error(const char *subject, const char *reason)
{
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "tunnel", subject, "%s", reason);
}

static int check_remote(const weir_endpoint *remote)
{
    if (remote->scheme != WEIR_SCHEME_TCP || remote->host_kind == WEIR_HOST_ANY || remote->port == 0)
        return usage_error(remote->text, "REMOTE is a host and a port that the last machine connects to");
    return 0;
}

static int check_via(const struct tunnel_settings *settings)
{
    const weir_option_list *via = &settings->via;
    if (via->count == 0)
        return usage_error("", "through which machine? --via ssh://HOST is needed; see weir tunnel --help");
    if (strncasecmp(via->items[via->count - 1], "ssh://", 6) != 0)
        return usage_error("--via", "the last one is to be an ssh://");
    return via_check(via, &settings->tunnel.relay.to, "tunnel");
}

static int check_local(struct tunnel_settings *settings)
{
    weir_endpoint local;
    if (!settings->local)
        return tls_check(&settings->server.listen.tls, &settings->tunnel.relay.to, "tunnel", "");
    if (weir_parse_endpoint(settings->local, "tcp", &local) < 0)
        return -1;
    if (local.datagram)
        return usage_error(local.text, "datagrams do not go through ssh");
    return tls_check(&settings->server.listen.tls, &local, "tunnel", "");
}

static int read_words(struct tunnel_settings *settings, const weir_arguments *words)
{
    if (words->count == 0)
        return usage_error("", "REMOTE is needed; see weir tunnel --help");
    if (words->count > 2)
        return usage_error(words->items[2], "LOCAL and REMOTE are all it takes");
    settings->local = words->count == 2 ? words->items[0] : NULL;
    weir_endpoint *remote = &settings->tunnel.relay.to;
    if (weir_parse_endpoint(words->items[words->count - 1], "tcp", remote) < 0 || check_remote(remote) < 0 ||
        check_via(settings) < 0)
        return -1;
    return check_local(settings);
}

/* --- listening --- */

/* Without LOCAL on the first port from 8000 on that is free. */
static int listen_somewhere(weir_server *server, struct relay *relay)
{
    char endpoint[32];
    for (int port = FIRST_PORT; port < FIRST_PORT + PORTS; port++) {
        snprintf(endpoint, sizeof endpoint, "tcp://:%d", port);
        if (weir_server_add(server, endpoint, relay_stream, relay) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return -1;
    }
    return weir_fail(WEIR_ERROR_LISTEN, EADDRINUSE, "listen", "tcp://:8000",
                     "this port and the nine after it are taken; name another, as in weir tunnel ... :9000 REMOTE");
}

static int listen_here(weir_server *server, struct tunnel_settings *settings)
{
    struct relay *relay = &settings->tunnel.relay;
    return settings->local ? weir_server_add(server, settings->local, relay_stream, relay)
                           : listen_somewhere(server, relay);
}

/* --- running --- */

enum { ENDING = 3 };

/* Whether a terminal that is closed is to end it, so that nothing is left: not under nohup(1). */
static bool ends_with_terminal(void)
{
    struct sigaction action;
    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

/* What ends it. Returns how many there are. */
static size_t ending_signals(int signals[ENDING])
{
    static const int all[ENDING] = {SIGTERM, SIGINT, SIGHUP};
    memcpy(signals, all, sizeof all);
    return ends_with_terminal() ? ENDING : ENDING - 1;
}

/* A signal ends the first log-in, which may take long; later ones are the servers'. */
static int await_signal(void *arg)
{
    struct tunnel_settings *settings = arg;
    int signal = weir_signals_wait(settings->signals, WEIR_FOREVER);
    if (signal > 0) {
        settings->signal = signal;
        weir_cancel_fiber(settings->opener);
    }
    return 0;
}

/* 0; -1 with an error, or with `signal` set. */
static int open_unless_signalled(struct tunnel_settings *settings)
{
    int ending[ENDING];
    settings->opener = weir_self();
    settings->signals = weir_signals_new(ending, ending_signals(ending));
    weir_fiber *listener = settings->signals ? weir_spawn(await_signal, settings, NULL) : NULL;
    int result = listener ? tunnel_path_open(&settings->tunnel.path) : -1;
    if (listener) {
        weir_cancel_fiber(listener);
        weir_join(listener, NULL, WEIR_FOREVER);
    }
    weir_signals_free(settings->signals);
    return settings->signal ? -1 : result;
}

static void log_counters(void *arg)
{
    struct tunnel *tunnel = &((struct tunnel_settings *)arg)->tunnel;
    weir_log(WEIR_LOG_INFO, "%s: unreached=%" PRIu64 " cut=%" PRIu64 " opened_again=%" PRIu64, tunnel->path.shown,
             atomic_load(&tunnel->relay.counters->unreached), atomic_load(&tunnel->relay.counters->cut),
             tunnel_path_opened(&tunnel->path));
}

static void reload(void *arg)
{
    reload_certificate(((struct tunnel_settings *)arg)->tunnel.relay.server);
}

static void hang_up(void *arg)
{
    struct tunnel_settings *settings = arg;
    weir_server_stop(settings->tunnel.relay.server, weir_deadline(settings->server.drain_timeout));
}

/* Serves until a signal, while a fiber keeps the path open. 0 or -1. */
static int serve(struct tunnel_settings *settings, weir_server *server)
{
    weir_run_options run = serving_run_options(&settings->run, &settings->server);
    run.counted = log_counters;
    run.reload = settings->server.listen.tls.cert ? reload : ends_with_terminal() ? hang_up : NULL;
    run.arg = settings;
    weir_fiber *keeper =
        weir_spawn(tunnel_path_keep, &settings->tunnel.path, WEIR_OPTIONS(weir_fiber_options, .name = "keeper"));
    int result = keeper ? weir_run_servers(&server, 1, &run) : -1;
    if (result < 0)
        tell_error();
    if (keeper) {
        weir_cancel_fiber(keeper);
        weir_join(keeper, NULL, WEIR_FOREVER);
    }
    return result;
}

static int tunnel_run(void *arg)
{
    struct tunnel_settings *settings = arg;
    weir_server_options options = settings->server;
    options.name = "tunnel";
    relay_halve_connections(&options);
    weir_server *server = weir_server_new(&options);
    int status = STATUS_DONE;
    settings->tunnel.relay.server = server;
    if (!server || listen_here(server, settings) < 0 || open_unless_signalled(settings) < 0)
        status = settings->signal ? STATUS_DONE : failed();
    else if (serve(settings, server) < 0)
        status = STATUS_NETWORK;
    weir_server_free(server);
    tunnel_path_close(&settings->tunnel.path);
    return status;
}

static void prepare(struct tunnel_settings *settings)
{
    struct tunnel *tunnel = &settings->tunnel;
    char through[400];
    tunnel->relay.counters = &settings->counters;
    tunnel->relay.dial = tunnel_enter;
    tunnel->relay.connect = (weir_connect_options){.size = sizeof tunnel->relay.connect};
    tunnel->path.via = settings->via.items;
    tunnel->path.remote = tunnel->relay.to.text;
    pthread_mutex_init(&tunnel->path.lock, NULL);
    snprintf(tunnel->path.shown, sizeof tunnel->path.shown, "the way to %s%s", tunnel->relay.to.text,
             via_text(&settings->via, through, sizeof through));
}

/* Signals are held back while it runs: between one who hears of them and the next, none ends the program. */
static int run_tunnel(struct tunnel_settings *settings)
{
    int ending[ENDING];
    sigset_t held, before;
    sigemptyset(&held);
    for (size_t i = ending_signals(ending); i > 0; i--)
        sigaddset(&held, ending[i - 1]);
    prepare(settings);
    serving_log(&settings->run);
    pthread_sigmask(SIG_BLOCK, &held, &before);
    int status = weir_run(tunnel_run, settings, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_destroy(&settings->tunnel.path.lock);
    if (settings->signal)
        raise(settings->signal);
    return status < 0 ? failed() : status;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct tunnel_settings settings = {.server.size = sizeof settings.server};
    weir_option_set sets[] = {{tunnel_options, &settings},
                              {via_options, &settings.via},
                              {run_alone_options, &settings.run},
                              {limit_options, &settings},
                              {weir_server_tls_option_table, &settings.server}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 5, argc, argv, &status))
        status = read_words(&settings, &line.arguments) < 0 ? failed() : run_tunnel(&settings);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]... --via URL... [LOCAL] REMOTE", NULL};
static const char *const examples[] = {
    "weir tunnel --via ssh://user@example.org localhost:5432",
    "port 8000 of this machine, or the first free one after it, is port 5432 of example.org",
    "weir tunnel --via ssh://user@example.org :9000 db.example.org:5432",
    "port 9000 of this machine is that of a database which example.org reaches",
    "weir tunnel --via ssh://user@example.org '*:9000' :5432 --allow 192.168.0.0/16",
    "for a network that may come in",
    NULL,
};

const struct command tunnel_command = {
    .name = "tunnel",
    .summary = "a port here leads to one that another machine reaches, by ssh",
    .usage = usage,
    .description =
        "Logs in by OpenSSH's ssh, with the configuration, the known hosts and the agent that you have set up, and "
        "then listens on LOCAL. Whoever connects there talks with REMOTE, a HOST:PORT as the last machine of --via "
        "sees "
        "it: both directions, the end of each passed on. All clients share one ssh.\n\n"
        "Without LOCAL it listens on port 8000, or the first free one of the nine after it; a LOCAL without a host is "
        "loopback, which no other machine reaches. With \"*\" as its host everybody who reaches this machine may come "
        "in, see --allow.\n\n"
        "The ssh is watched. When it ends it is started again, after a second, then after twice as long each time, up "
        "to half a minute; clients wait for that for a moment (--wait), and are then closed with a line in the log. "
        "The first time it must succeed.\n\n"
        "It serves until SIGTERM or SIGINT, or until its terminal is closed: then clients may finish. SIGUSR1 prints "
        "counters. With --cert SIGHUP reads the certificate again.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
