/* weir check: whether endpoints answer, how fast, and at which address. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct check, member)

enum {
    AT_ONCE = 64, /* targets that are tried at the same time */
    MOST_ADDRESSES = 32,
};

static const weir_option options[] = {
    {WEIR_OPTION_INTEGER, "count", 'c', "N", AT(count), "tries of each, one after the other", "1", NULL, 1, 1000000},
    {WEIR_OPTION_TIME, "interval", 'i', "TIME", AT(interval), "between two tries of the same", "100ms"},
    {WEIR_OPTION_TIME, "timeout", 't', "TIME", AT(dialling.timeout),
     "for a try: the connection, or a datagram's answer", "5s"},
    {WEIR_OPTION_FLAG, "all-addresses", 'a', NULL, AT(all_addresses),
     "every address that a name has, not only the first that answers"},
    {WEIR_OPTION_TEXT, "text", 0, "TEXT", AT(text), "what is sent in a datagram; by default it has no bytes"},
    {WEIR_OPTION_FLAG, "json", 0, NULL, AT(json), "prints a JSON object a line in place of the table"},
    {0},
};
static const struct option_section sections[] = {{"Options", options},
                                                 {"Connecting", dialling_options},
                                                 {"TLS", client_tls_options},
                                                 {"Through others", via_options},
                                                 {0}};

/* --- which --- */

static struct check_target *add_target(struct check *check, const struct dialling *dialling)
{
    struct check_target *larger = realloc(check->targets, (check->target_count + 1) * sizeof *larger);
    int64_t *times = calloc((size_t)check->count, sizeof *times);
    if (larger)
        check->targets = larger;
    if (!larger || !times) {
        free(times);
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "check", dialling->endpoint.text, NULL);
        return NULL;
    }
    struct check_target *target = &check->targets[check->target_count++];
    *target = (struct check_target){.dialling = *dialling, .times = times};
    memcpy(target->named, dialling->endpoint.text, sizeof target->named);
    return target;
}

/* One target for each address. What has none remains a target, which will say so. 0 or -1. */
static int add_addresses(struct check *check, const struct dialling *dialling)
{
    weir_address addresses[MOST_ADDRESSES];
    const weir_endpoint *endpoint = &dialling->endpoint;
    int family = dialling->ipv4 ? AF_INET : dialling->ipv6 ? AF_INET6 : 0;
    int count = weir_resolve(endpoint->text, family, addresses, MOST_ADDRESSES, weir_deadline(dialling->timeout));
    if (count <= 0)
        return add_target(check, dialling) ? 0 : -1;
    for (int i = 0; i < count && i < MOST_ADDRESSES; i++) {
        char text[400];
        struct check_target *target = add_target(check, dialling);
        if (!target)
            return -1;
        target->address = addresses[i];
        weir_endpoint_text(endpoint->scheme, endpoint->datagram, &addresses[i], text, sizeof text);
        if (endpoint->scheme != WEIR_SCHEME_UNIX && weir_parse_endpoint(text, NULL, &target->dialling.endpoint) < 0)
            return -1;
    }
    return 0;
}

/* Whether there is somebody to connect to: what is no endpoint of a client's is wrong usage, not a missing answer. */
static int check_endpoint(const struct check *check, const weir_endpoint *endpoint)
{
    bool local = endpoint->scheme == WEIR_SCHEME_UNIX;
    if (!local && (endpoint->host_kind == WEIR_HOST_ANY || endpoint->port == 0))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "check", endpoint->text, "a host and a port are needed");
    if (check->all_addresses && check->dialling.via.count > 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "check", endpoint->text,
                         "--all-addresses is not for --via: names are looked up there");
    return 0;
}

/* Reads one endpoint after the other from the words, each perhaps as HOST PORT. 0 or -1. */
static int read_words(struct check *check, const weir_arguments *words)
{
    size_t used = 0;
    do {
        struct dialling one = check->dialling;
        weir_arguments rest = {.items = words->items + used,
                               .count = words->count - used,
                               .dashes = words->dashes > used ? words->dashes - used : 0};
        size_t taken = dialling_read(&one, &rest);
        if (taken == 0 || check_endpoint(check, &one.endpoint) < 0 || !add_target(check, &one))
            return -1;
        used += taken;
    } while (used < words->count);
    return 0;
}

/* In place of each endpoint its addresses. 0 or -1. */
static int expand(struct check *check)
{
    struct check_target *named = check->targets;
    size_t count = check->target_count;
    int result = 0;
    check->targets = NULL;
    check->target_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = add_addresses(check, &named[i].dialling);
        free(named[i].times);
    }
    free(named);
    return result;
}

/* --- trying --- */

static void try_target(const struct check *check, struct check_target *target)
{
    for (int64_t tries = 0; tries < check->count; tries++) {
        if (tries > 0 && check->interval != WEIR_FOREVER)
            weir_sleep(check->interval);
        check_try(check, target);
    }
}

static int try_targets(void *arg)
{
    struct check *check = arg;
    while (check->next < check->target_count)
        try_target(check, &check->targets[check->next++]);
    return 0;
}

/* Tries all of them, some at a time; the calling fiber takes part, so that all is done though no other could be had. */
static void try_all(struct check *check)
{
    weir_fiber *fibers[AT_ONCE - 1];
    size_t count = 0;
    while (count < AT_ONCE - 1 && count + 1 < check->target_count &&
           (fibers[count] = weir_spawn(try_targets, check, NULL)))
        count++;
    try_targets(check);
    while (count > 0)
        weir_join(fibers[--count], NULL, WEIR_FOREVER);
}

static int check_all(void *arg)
{
    struct check *check = arg;
    if (check->all_addresses && expand(check) < 0)
        return failed();
    try_all(check);
    return check_report(check);
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct check check = {.dialling.command = "check"};
    weir_option_set sets[] = {{options, &check},
                              {dialling_options, &check.dialling},
                              {client_tls_options, &check.dialling.tls},
                              {via_options, &check.dialling.via}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 4, argc, argv, &status))
        status = read_words(&check, &line.arguments) < 0 ? failed() : weir_run(check_all, &check, NULL);
    if (status < 0)
        status = failed();
    for (size_t i = 0; i < check.target_count; i++)
        free(check.targets[i].times);
    free(check.targets);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]... ENDPOINT...", "[OPTION]... HOST PORT...", NULL};
static const char *const examples[] = {
    "weir check :8000",
    "does port 8000 of this machine answer, at which address, and how fast?",
    "weir check :8000 unix:/tmp/echo.socket example.org 443",
    "several at once",
    "weir check --all-addresses example.org:443",
    "every address of a name, IPv4 and IPv6",
    "weir check -c 5 -i 200ms --json :8000",
    "five tries, for a script",
    "weir check --via http://localhost:3128 example.org:443",
    "through an HTTP proxy",
    "weir check udp://:31337 --text hello --timeout 1s",
    "sends a datagram and waits for one",
    NULL,
};

const struct command check_command = {
    .name = "check",
    .summary = "whether endpoints answer, how fast, and at which address",
    .usage = usage,
    .description =
        "Connects to each endpoint, and closes again. A table tells for each where it was reached and how long that "
        "took, "
        "the look-up of the name included (not with --all-addresses, which looks it up before); why one does not "
        "answer "
        "is said on stderr. All are tried at once, the tries of one after the other.\n\n"
        "Results: answers: the connection stood. refused: nobody listens there. silent: nothing came back within "
        "--timeout, as where a firewall drops what comes. unreachable: no way leads there. no address: the name is not "
        "known. failed: anything else.\n\n"
        "By tls and https it answers once hands are shaken: the certificate is verified each time, and what is wrong "
        "with it is said, as is that there is no TLS at all.\n\n"
        "To udp, and unix:PATH?type=datagram, a datagram is sent. answers: one came back. refused: the machine said "
        "that "
        "nobody listens there (ICMP). silent: nothing came; a service need not answer what it does not understand, so "
        "it "
        "may well be there: say with --text what it would answer.\n\n"
        "Exit status: 0 all answer, always; 1 some do not.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
