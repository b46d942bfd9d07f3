/* weir ask: reads the command line: whom to ask, what, and from where. ask_talk.c does the asking. */
#include "ask.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct ask_settings, member)

static const weir_option ask_options[] = {
    {WEIR_OPTION_FLAG, "line", 0, NULL, AT(line), "adds a newline to the text"},
    {WEIR_OPTION_TIME, "quiet", 0, "TIME", AT(quiet),
     "the answer is complete when the peer has been silent so long after its first byte", "200ms"},
    {WEIR_OPTION_TIME, "timeout", 0, "TIME", AT(timeout),
     "how long to wait for the connection, then for the first byte", "5s"},
    {WEIR_OPTION_FLAG, "udp", 'u', NULL, AT(udp), "asks by udp"},
    {WEIR_OPTION_FLAG, "unix", 'U', NULL, AT(local), "the endpoint is the path of a Unix socket"},
    {WEIR_OPTION_FLAG, "ipv4", '4', NULL, AT(ipv4), "by IPv4 alone"},
    {WEIR_OPTION_FLAG, "ipv6", '6', NULL, AT(ipv6), "by IPv6 alone"},
    {WEIR_OPTION_FLAG, "numeric", 'n', NULL, AT(numeric), "looks no names up: the host is an address"},
    {WEIR_OPTION_TEXT, "source", 's', "ADDRESS", AT(source), "the address of this machine to ask from"},
    {WEIR_OPTION_TEXT, "source-port", 'p', "PORT", AT(source_port), "the port to ask from"},
    {WEIR_OPTION_FLAG, "verbose", 'v', NULL, AT(verbose), "says each step on stderr"},
    {0},
};
const struct option_section ask_sections[] = {{"Options", ask_options}, {0}};

void ask_say(const struct ask *ask, const char *format, ...)
{
    if (!ask->settings.verbose)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_log(WEIR_LOG_INFO, "%s", text);
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Whether the words begin with HOST PORT, as nc has it: the first is no number, and no endpoint already, the second is one. */
static bool is_host_and_port(const struct ask *ask, const weir_arguments *words)
{
    if (ask->settings.local || words->count < 2 || words->dashes < 2)
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

/* Reads the endpoint from the words and returns how many of them it took; 0 with a usage error. */
static size_t read_endpoint(struct ask *ask, const weir_arguments *words)
{
    char text[512];
    size_t used = 1;
    if (words->count == 0) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", "", "no endpoint is named; see weir ask --help");
        return 0;
    }
    const char *first = words->items[0];
    if (is_host_and_port(ask, words)) {
        bool brackets = needs_brackets(first);
        snprintf(text, sizeof text, "%s%s%s:%s", brackets ? "[" : "", first, brackets ? "]" : "", words->items[1]);
        used = 2;
    } else {
        bool path = ask->settings.local && strncmp(first, "unix:", 5) != 0;
        const char *type = path && ask->settings.udp ? "?type=datagram" : "";
        snprintf(text, sizeof text, "%s%s%s", path ? "unix:" : "", first, type);
    }
    const char *scheme = ask->settings.udp ? "udp" : "tcp";
    return weir_parse_endpoint(text, scheme, &ask->endpoint) < 0 ? 0 : used;
}

/* Joins words by a space, with a newline where --line wants one. 0, or -1 with ENOMEM. */
static int join(struct ask *ask, const char *const *words, size_t count)
{
    size_t room = 2;
    for (size_t i = 0; i < count; i++)
        room += strlen(words[i]) + 1;
    char *at = ask->text = malloc(room);
    if (!at)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "ask", ask->endpoint.text, NULL);
    for (size_t i = 0; i < count; i++) {
        if (i)
            *at++ = ' ';
        at = stpcpy(at, words[i]);
    }
    if (ask->settings.line)
        *at++ = '\n';
    ask->length = (size_t)(at - ask->text);
    return 0;
}

/* What makes no sense together. 0, or -1 with a usage error. */
static int check(const struct ask *ask, bool has_text)
{
    const struct ask_settings *settings = &ask->settings;
    const char *endpoint = ask->endpoint.text;
    bool local = ask->endpoint.scheme == WEIR_SCHEME_UNIX;
    if (settings->ipv4 && settings->ipv6)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", endpoint, "-4 and -6 exclude each other");
    if (settings->udp && !ask->endpoint.datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", endpoint, "-u is for udp");
    if (local && (settings->source || settings->source_port || settings->ipv4 || settings->ipv6))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", endpoint, "-4, -6, -s and -p are for IP addresses");
    if (settings->numeric && ask->endpoint.host_kind == WEIR_HOST_NAME)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", endpoint, "with -n the host must be an address");
    if (settings->source_port && !is_number(settings->source_port))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", settings->source_port, "not a port");
    if (settings->line && !has_text)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", endpoint, "--line is for a TEXT");
    return 0;
}

static int read_question(struct ask *ask, const weir_arguments *words)
{
    size_t used = read_endpoint(ask, words);
    if (used == 0 || check(ask, words->count > used) < 0)
        return -1;
    return words->count > used ? join(ask, words->items + used, words->count - used) : 0;
}

int ask_command(const struct command *command, int argc, char *const *argv)
{
    struct ask ask = {0};
    weir_option_set set = {ask_options, &ask.settings};
    struct command_line line;
    int status;
    if (command_begin(command, &line, &set, 1, argc, argv, &status))
        status = read_question(&ask, &line.arguments) < 0 ? failed() : weir_run(ask_talk, &ask, NULL);
    if (status < 0)
        status = failed();
    free(ask.text);
    command_line_free(&line);
    return status;
}
