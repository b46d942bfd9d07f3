/*
 * ssh's command line. Nothing is said in it that weakens what the user has configured: host keys are checked as they
 * are for the user's own ssh; the agent is not forwarded and no port is opened to others. ssh asks nobody (BatchMode).
 *
 * Several hops are one command: each ssh's ProxyCommand is the ssh to the hop before. ssh replaces %h and %p of it by
 * what its configuration makes of the host, and gives it to the user's shell; so its words are quoted, and their %
 * doubled, once for each ssh that they go through.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/text.h"
#include "net/ssh.h"

/* Quoting a quote makes four of one, and so on with each hop. */
enum { COMMAND_MOST = 65536 };

/* How long a master outlives its last connection. */
#define PERSIST "60"

/* Where a hop's ssh is to have its channel: what ssh fills in for the next hop. */
#define NEXT_HOP "[%h]:%p"

#define VERBOSE                                                                                                        \
    "LogVerbose=*:channel_input_open_confirmation():*,*:chan_rcvd_ieof():*,*:chan_rcvd_oclose():*,"                    \
    "*:mux_client_request_stdio_fwd():*,*:channel_setup_fwd_listener_streamlocal():*"

/* --- words --- */

static void take_word(struct weir__ssh_line *line, char *word)
{
    if (word == NULL || line->count == WEIR__SSH_WORDS) {
        line->failed = true;
        free(word);
        return;
    }
    line->words[line->count++] = word;
}

static void add(struct weir__ssh_line *line, const char *word)
{
    take_word(line, strdup(word));
}

static void add_option(struct weir__ssh_line *line, const char *format, ...) WEIR_PRINTF(2, 3);

static void add_option(struct weir__ssh_line *line, const char *format, ...)
{
    char *word = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&word, format, arguments) < 0)
        word = NULL;
    va_end(arguments);
    add(line, "-o");
    take_word(line, word);
}

static void add_pair(struct weir__ssh_line *line, const char *option, const char *value)
{
    add(line, option);
    add(line, value);
}

void weir__ssh_line_free(struct weir__ssh_line *line)
{
    for (size_t i = 0; i < line->count; i++)
        free(line->words[i]);
    *line = (struct weir__ssh_line){0};
}

/* --- a line as a ProxyCommand --- */

static bool is_plain(const char *word)
{
    return *word != '\0' &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@+=:,./-") == strlen(word);
}

static void put_quoted(struct weir__text *text, const char *word)
{
    bool fill_in = strcmp(word, NEXT_HOP) == 0;
    if (is_plain(word)) {
        weir__text_put(text, word);
        return;
    }
    weir__text_put_char(text, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            weir__text_put(text, "'\\''");
        else
            weir__text_put_char(text, *word);
        if (*word == '%' && !fill_in)
            weir__text_put_char(text, '%');
    }
    weir__text_put_char(text, '\'');
}

/* To be freed by the caller. NULL with the error. */
static char *as_command(const struct weir__ssh_line *line)
{
    char *data = malloc(COMMAND_MOST);
    if (data == NULL) {
        weir__fail_memory("connect");
        return NULL;
    }
    struct weir__text text = weir__text(data, COMMAND_MOST);
    for (size_t i = 0; i < line->count; i++) {
        weir__text_put(&text, i == 0 ? "" : " ");
        put_quoted(&text, line->words[i]);
    }
    if (text.length + 1 < COMMAND_MOST)
        return data;
    free(data);
    weir_fail(WEIR_ERROR_USAGE, E2BIG, "connect", "", "ssh's command line for so many hops is too long");
    return NULL;
}

/* --- multiplexing --- */

/* FNV-1a: what besides host, port and user (which ssh's %C stands for) makes one master different from another. */
static uint64_t add_hash(uint64_t hash, const char *text)
{
    for (; text != NULL && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    return hash;
}

static int add_master(struct weir__ssh_line *line, const struct weir__via *hop, const char *command,
                      const weir_connect_options *options)
{
    char folder[WEIR__FOLDER_SIZE];
    if (weir__folder_of_masters(folder) < 0)
        return -1;
    uint64_t hash = add_hash(add_hash(0xcbf29ce484222325, hop->config), command);
    hash = add_hash(hash, options == NULL ? NULL : options->bind) ^ (uint64_t)(options == NULL ? 0 : options->family);
    add_option(line, "ControlMaster=auto");
    add_option(line, "ControlPersist=" PERSIST);
    add_option(line, "ControlPath=%s/%08" PRIx64 "%%C", folder, hash & 0xffffffff);
    return 0;
}

/*
 * A master of the user's own is gone through where there is one. But none is made by the user's configuration alone:
 * other sessions would go through it, and end with this connection.
 */
static int add_sharing(struct weir__ssh_line *line, const struct weir__via *hop, bool own, const char *command,
                       const weir_connect_options *options)
{
    if (hop->multiplex && !own)
        return add_master(line, hop, command, options);
    add_option(line, "ControlMaster=no");
    return 0;
}

/* --- one hop --- */

/* A little later than the caller's own limit, which tells it in its own way. */
static void add_timeout(struct weir__ssh_line *line, int64_t deadline)
{
    int64_t left = deadline - weir_now();
    if (deadline != WEIR_FOREVER)
        add_option(line, "ConnectTimeout=%" PRId64, left < WEIR_S(1) ? 2 : left / WEIR_S(1) + 2);
}

static void add_manners(struct weir__ssh_line *line, const struct weir__ssh_job *job)
{
    static const char *const manners[] = {
        "BatchMode=yes", "ServerAliveInterval=15", "ServerAliveCountMax=3", "ForwardAgent=no", "PermitLocalCommand=no",
    };
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++)
        add_option(line, "%s", manners[i]);
    add_timeout(line, job->deadline);
    add_pair(line, "-T", "-e");
    add(line, "none");
}

/* Where it connects from; of the first hop alone. */
static int add_source(struct weir__ssh_line *line, const weir_connect_options *options)
{
    if (options->family != 0)
        add(line, options->family == AF_INET ? "-4" : "-6");
    if (options->bind == NULL)
        return 0;
    weir_address address;
    char with_port[WEIR_ADDRESS_TEXT];
    snprintf(with_port, sizeof with_port, strchr(options->bind, ':') != NULL ? "[%s]:0" : "%s:0", options->bind);
    if (weir_parse_address(with_port, &address) < 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "bind", options->bind, "ssh connects from an address alone");
    add_pair(line, "-b", options->bind);
    return 0;
}

static void add_destination(struct weir__ssh_line *line, const struct weir__via *hop)
{
    char port[8];
    snprintf(port, sizeof port, "%u", hop->to.port);
    if (*hop->config)
        add_pair(line, "-F", hop->config);
    if (hop->to.port != 0)
        add_pair(line, "-p", port);
    if (hop->has_user)
        add_pair(line, "-l", hop->user);
    add_pair(line, "--", hop->to.host);
}

/* "host:port" as -W and -L take it: an address of IPv6 in brackets. */
static void write_target(const weir_endpoint *to, char *text, size_t size)
{
    const char *host = to->host_kind == WEIR_HOST_DEFAULT ? "localhost" : to->host;
    snprintf(text, size, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, to->port);
}

/* What the last hop is for, and how it tells us how far it is. */
static void add_job(struct weir__ssh_line *line, const struct weir__ssh_job *job)
{
    char target[sizeof job->to->host + 16], listen[sizeof target + WEIR__FOLDER_SIZE + 4];
    write_target(job->to, target, sizeof target);
    add_option(line, job->old ? "LogLevel=DEBUG2" : "LogLevel=INFO");
    if (!job->old)
        add_option(line, "%s", VERBOSE);
    if (job->listen == NULL) {
        add_pair(line, "-W", target);
        return;
    }
    snprintf(listen, sizeof listen, "%s:%s", job->listen, target);
    add_option(line, "ControlPath=none");
    add_option(line, "StreamLocalBindMask=0177");
    add_option(line,
               "ExitOnForwardFailure=no"); /* the user's configuration may have others, which are taken elsewhere */
    add(line, "-N");
    add_pair(line, "-L", listen);
}

static int add_hop(struct weir__ssh_line *line, const struct weir__ssh_job *job, size_t index, const char *command)
{
    const struct weir__via *hop = &job->hops[index];
    const weir_connect_options *options = command == NULL ? job->options : NULL;
    const char *program = getenv("WEIR_SSH");
    bool last = index + 1 == job->count;
    add(line, program != NULL && *program ? program : "ssh");
    add_manners(line, job);
    if (options != NULL && add_source(line, options) < 0)
        return -1;
    if (command != NULL)
        add_option(line, "ProxyCommand=%s", command);
    if (add_sharing(line, hop, last && job->listen, command, options) < 0)
        return -1;
    if (last)
        add_job(line, job);
    else
        add_pair(line, "-W", NEXT_HOP);
    add_destination(line, hop);
    return line->failed ? weir__fail_memory("connect") : 0;
}

int weir__ssh_line(struct weir__ssh_line *line, const struct weir__ssh_job *job)
{
    char *command = NULL;
    int result = 0;
    *line = (struct weir__ssh_line){0};
    for (size_t i = 0; i < job->count && result == 0; i++) {
        result = add_hop(line, job, i, i == 0 ? job->command : command);
        free(command);
        command = NULL;
        if (result < 0 || i + 1 == job->count)
            continue;
        command = as_command(line);
        result = command == NULL ? -1 : 0;
        weir__ssh_line_free(line);
    }
    return result;
}
