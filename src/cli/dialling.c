/* Reading whom to connect to from the command line, and connecting; see dialling.h. */
#include "dialling.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define AT(member) offsetof(struct dialling, member)

const weir_option dialling_options[] = {
    {WEIR_OPTION_FLAG, "udp", 'u', NULL, AT(udp), "by datagrams"},
    {WEIR_OPTION_FLAG, "unix", 'U', NULL, AT(local), "the endpoint is the path of a Unix socket"},
    {WEIR_OPTION_FLAG, "ipv4", '4', NULL, AT(ipv4), "by IPv4 alone"},
    {WEIR_OPTION_FLAG, "ipv6", '6', NULL, AT(ipv6), "by IPv6 alone"},
    {WEIR_OPTION_FLAG, "numeric", 'n', NULL, AT(numeric), "looks no names up: the host is an address"},
    {WEIR_OPTION_TEXT, "source", 's', "ADDRESS", AT(source), "the address of this machine to connect from"},
    {WEIR_OPTION_TEXT, "source-port", 'p', "PORT", AT(source_port), "the port to connect from"},
    {WEIR_OPTION_FLAG, "verbose", 'v', NULL, AT(verbose), "says each step on stderr"},
    {0},
};

void dialling_say(const struct dialling *dialling, const char *format, ...)
{
    if (!dialling->verbose)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_log(WEIR_LOG_INFO, "%.3f s: %s", (double)(weir_now() - dialling->began) / 1e9, text);
}

/* --- reading the endpoint --- */

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Whether the words begin with HOST PORT, as nc has it: the first is no number, and no endpoint already, the second is one. */
static bool is_host_and_port(const struct dialling *dialling, const weir_arguments *words)
{
    if (dialling->local || words->count < 2 || words->dashes < 2)
        return false;
    const char *host = words->items[0];
    if (is_number(host) || !is_number(words->items[1]) || strstr(host, "://") || strncmp(host, "unix:", 5) == 0)
        return false;
    /* "host:80 443" asks host:80 for 443; "::1 80" is an address and a port. */
    const char *colon = strchr(host, ':');
    return !colon || strchr(colon + 1, ':') != NULL;
}

/* "::1" as "[::1]". */
static bool needs_brackets(const char *host)
{
    return host[0] != '[' && strchr(host, ':') != NULL;
}

static int parse(struct dialling *dialling, const char *text)
{
    return weir_parse_endpoint(text, dialling->udp ? "udp" : "tcp", &dialling->endpoint);
}

static int parse_two_words(struct dialling *dialling, const char *host, const char *port)
{
    char text[512];
    bool brackets = needs_brackets(host);
    snprintf(text, sizeof text, "%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
    return parse(dialling, text);
}

static int parse_word(struct dialling *dialling, const char *word)
{
    char text[512];
    bool path = dialling->local && strncmp(word, "unix:", 5) != 0;
    snprintf(text, sizeof text, "%s%s%s", path ? "unix:" : "", word, path && dialling->udp ? "?type=datagram" : "");
    return parse(dialling, text);
}

/* What makes no sense together. 0, or -1 with a usage error. */
static int check(const struct dialling *dialling)
{
    const char *command = dialling->command, *endpoint = dialling->endpoint.text;
    bool local = dialling->endpoint.scheme == WEIR_SCHEME_UNIX;
    if (dialling->ipv4 && dialling->ipv6)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, endpoint, "-4 and -6 exclude each other");
    if (dialling->udp && !dialling->endpoint.datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, endpoint, "-u is for udp");
    if (local && (dialling->source || dialling->source_port || dialling->ipv4 || dialling->ipv6))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, endpoint, "-4, -6, -s and -p are for IP addresses");
    if (dialling->numeric && dialling->endpoint.host_kind == WEIR_HOST_NAME)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, endpoint, "with -n the host must be an address");
    if (dialling->source_port && !is_number(dialling->source_port))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, dialling->source_port, "not a port");
    if (via_check(&dialling->via, &dialling->endpoint, command) < 0)
        return -1;
    return tls_check(&dialling->tls, &dialling->endpoint, command, "");
}

size_t dialling_read(struct dialling *dialling, const weir_arguments *words)
{
    dialling->began = weir_now();
    if (words->count == 0) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, dialling->command, "", "no endpoint is named; see weir %s --help",
                  dialling->command);
        return 0;
    }
    bool two = is_host_and_port(dialling, words);
    int parsed =
        two ? parse_two_words(dialling, words->items[0], words->items[1]) : parse_word(dialling, words->items[0]);
    return parsed < 0 || check(dialling) < 0 ? 0 : 1 + two;
}

/* --- connecting --- */

/* HOST, :PORT or HOST:PORT to connect from; NULL where none was asked for. */
static const char *local_end(const struct dialling *dialling, char *text, size_t size)
{
    if (!dialling->source && !dialling->source_port)
        return NULL;
    const char *host = dialling->source ? dialling->source : "", *port = dialling->source_port;
    bool brackets = needs_brackets(host);
    snprintf(text, size, "%s%s%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "", port ? ":" : "",
             port ? port : "");
    return text;
}

void dialling_prepare(const struct dialling *dialling, char local[DIALLING_LOCAL_MOST], weir_connect_options *options)
{
    *options = (weir_connect_options){
        .size = sizeof *options,
        .timeout = dialling->timeout,
        .bind = local_end(dialling, local, DIALLING_LOCAL_MOST),
        .family = dialling->ipv4   ? AF_INET
                  : dialling->ipv6 ? AF_INET6
                                   : 0,
        .tls = dialling->tls,
        .via = dialling->via.items,
    };
}

/* Through others the socket's own ends are not the connection's. */
void dialling_say_connected(const struct dialling *dialling, weir_conn *conn)
{
    char here[400], there[400], spoken[100];
    if (dialling->via.count > 0)
        dialling_say(dialling, "connected to %s", dialling->endpoint.text);
    else
        dialling_say(dialling, "connected to %s from %s", weir_peer_endpoint(conn, there, sizeof there),
                     weir_local_endpoint(conn, here, sizeof here));
    if (*weir_tls_text(conn, spoken, sizeof spoken))
        dialling_say(dialling, "%s, with %s", spoken, weir_peer_name(conn) ? weir_peer_name(conn) : "nobody verified");
}

weir_conn *dialling_connect(const struct dialling *dialling)
{
    char local[DIALLING_LOCAL_MOST];
    weir_connect_options options;
    dialling_prepare(dialling, local, &options);
    char through[400];
    dialling_say(dialling, "connecting to %s%s", dialling->endpoint.text,
                 via_text(&dialling->via, through, sizeof through));
    weir_conn *conn = weir_connect(dialling->endpoint.text, &options);
    if (conn)
        dialling_say_connected(dialling, conn);
    return conn;
}
