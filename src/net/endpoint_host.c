/* The HOST:PORT of an endpoint, and the parts that its parser works on. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "net/address.h"
#include "net/endpoint.h"

bool weir__is_digit(char character)
{
    return character >= '0' && character <= '9';
}

bool weir__is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

bool weir__all_digits(struct weir__part part)
{
    for (size_t i = 0; i < part.length; i++)
        if (!weir__is_digit(part.start[i]))
            return false;
    return part.length > 0;
}

bool weir__part_is(struct weir__part part, const char *word)
{
    return part.length == strlen(word) && strncasecmp(part.start, word, part.length) == 0;
}

/* Cuts off what stands before the first `mark`, and the mark. False if there is none. */
bool weir__cut(struct weir__part *rest, char mark, struct weir__part *before)
{
    const char *place = memchr(rest->start, mark, rest->length);
    *before = *rest;
    if (place == NULL)
        return false;
    before->length = (size_t)(place - rest->start);
    rest->start = place + 1;
    rest->length -= before->length + 1;
    return true;
}

void weir__copy_part(char *to, struct weir__part part)
{
    memcpy(to, part.start, part.length);
    to[part.length] = '\0';
}

static int parse_port(const char *text, struct weir__part digits, weir_endpoint *endpoint)
{
    unsigned port = 0;
    if (digits.length == 0)
        return weir__wrong(text, "the port is missing");
    if (!weir__all_digits(digits))
        return weir__wrong(text, "port %.*s is no number", WEIR__SHOWN(digits));
    for (size_t i = 0; i < digits.length && port <= UINT16_MAX; i++)
        port = port * 10 + (unsigned)(digits.start[i] - '0');
    if (port > UINT16_MAX)
        return weir__wrong(text, "port %.*s is above 65535", WEIR__SHOWN(digits));
    endpoint->port = (uint16_t)port;
    return 0;
}

/* The zone of a link-local address, "%eth0" or "%2"; interfaces' names are short. */
static bool is_zone(struct weir__part zone)
{
    for (size_t i = 0; i < zone.length; i++)
        if (!weir__is_letter(zone.start[i]) && !weir__is_digit(zone.start[i]) && !memchr("-_.", zone.start[i], 3))
            return false;
    return zone.length > 0 && zone.length < 16;
}

static int parse_ipv6(const char *text, struct weir__part host, weir_endpoint *endpoint)
{
    struct weir__part zone = host, digits;
    weir_address address;
    bool zoned = weir__cut(&zone, '%', &digits);
    if (!memchr(digits.start, ':', digits.length) ||
        weir__numeric_address(digits.start, digits.length, 0, &address) < 0)
        return weir__wrong(text, "host %.*s is no IPv6 address", WEIR__SHOWN(host));
    if (zoned && !is_zone(zone))
        return weir__wrong(text, "host %.*s has no valid zone", WEIR__SHOWN(host));
    endpoint->host_kind = WEIR_HOST_ADDRESS;
    weir__copy_part(endpoint->host, host);
    return 0;
}

/* Whether the last label is a number, as in 127.1 or 0x7f000001: what resolvers of old take for an address. */
static bool looks_numeric(struct weir__part host)
{
    struct weir__part label;
    while (weir__cut(&host, '.', &label) && host.length > 0) {
    }
    return weir__all_digits(label) || (label.length > 1 && label.start[0] == '0' && (label.start[1] | 0x20) == 'x');
}

static int check_label(const char *text, struct weir__part label)
{
    if (label.length == 0)
        return weir__wrong(text, "the host has an empty label");
    if (label.length > 63)
        return weir__wrong(text, "the host's label %.*s is longer than 63 characters", WEIR__SHOWN(label));
    for (size_t i = 0; i < label.length; i++)
        if (!weir__is_letter(label.start[i]) && !weir__is_digit(label.start[i]) && !memchr("-_", label.start[i], 2))
            return weir__wrong(text, "character %zu of %.*s is none that a host has", i + 1, WEIR__SHOWN(label));
    return 0;
}

static int parse_name(const char *text, struct weir__part host, weir_endpoint *endpoint)
{
    if (looks_numeric(host))
        return weir__wrong(text, "host %.*s is no IPv4 address", WEIR__SHOWN(host));
    if (host.length > 253)
        return weir__wrong(text, "the host is longer than 253 characters");
    struct weir__part rest = host, label;
    bool more = true;
    while (more) {
        more = weir__cut(&rest, '.', &label) && rest.length > 0; /* a dot at the end is the root */
        if (check_label(text, label) < 0)
            return -1;
    }
    endpoint->host_kind = WEIR_HOST_NAME;
    weir__copy_part(endpoint->host, host);
    return 0;
}

static int parse_host(const char *text, struct weir__part host, weir_endpoint *endpoint)
{
    weir_address address;
    if (host.length == 0) {
        endpoint->host_kind = WEIR_HOST_DEFAULT;
        return 0;
    }
    if (weir__part_is(host, "*"))
        endpoint->host_kind = WEIR_HOST_ANY;
    else if (weir__numeric_address(host.start, host.length, 0, &address) == 0)
        endpoint->host_kind = WEIR_HOST_ADDRESS;
    else
        return parse_name(text, host, endpoint);
    weir__copy_part(endpoint->host, host);
    return 0;
}

/* "[HOST]" and what follows it. */
static int parse_brackets(const char *text, struct weir__part rest, bool named, weir_endpoint *endpoint)
{
    struct weir__part host;
    rest.start++;
    rest.length--;
    if (!weir__cut(&rest, ']', &host))
        return weir__wrong(text, "the ] is missing");
    if (parse_ipv6(text, host, endpoint) < 0)
        return -1;
    if (rest.length > 0 && *rest.start != ':')
        return weir__wrong(text, "after ] comes :PORT, not %.*s", WEIR__SHOWN(rest));
    bool colon = rest.length > 0;
    endpoint->port = weir__scheme_port(endpoint->scheme);
    if (!colon && named && endpoint->port != 0)
        return 0;
    return parse_port(text, (struct weir__part){rest.start + colon, rest.length - colon}, endpoint);
}

/* What people write by mistake, told apart from a host that is malformed. */
static int check_misreadings(const char *text, struct weir__part rest, bool named, weir_endpoint *endpoint)
{
    const char *name = weir_scheme_name(endpoint->scheme);
    if (rest.length == 0)
        return weir__wrong(text, named ? "the host and the port are missing" : "the endpoint is empty");
    if (!named && (*rest.start == '/' || *rest.start == '@' || *rest.start == '.'))
        return weir__wrong(text, "a Unix socket is written unix:%.*s", WEIR__SHOWN(rest));
    if (memchr(rest.start, '@', rest.length))
        return weir__wrong(text, "%s endpoints have no user before an @", name);
    const char *slash = memchr(rest.start, '/', rest.length);
    if (slash != NULL)
        return weir__wrong(text, "%s endpoints have no path: %.*s", name,
                           WEIR__SHOWN(((struct weir__part){slash, rest.length - (size_t)(slash - rest.start)})));
    return 0;
}

/* "http://HOST/" as people copy it: a slash alone is no path. */
static void strip_slash(struct weir__part *rest, const weir_endpoint *endpoint)
{
    if (weir__scheme_port(endpoint->scheme) != 0 && rest->length > 1 && rest->start[rest->length - 1] == '/')
        rest->length--;
}

/* Nothing stands for the scheme's own port, where it has one and was named. */
static int end_without_port(const char *text, struct weir__part host, bool named, weir_endpoint *endpoint)
{
    endpoint->port = weir__scheme_port(endpoint->scheme);
    if (named && endpoint->port != 0)
        return parse_host(text, host, endpoint);
    if (!weir__all_digits(host) && parse_host(text, host, endpoint) < 0)
        return -1;
    return weir__wrong(text, "the port is missing");
}

int weir__parse_host_and_port(const char *text, struct weir__part rest, bool named, weir_endpoint *endpoint)
{
    strip_slash(&rest, endpoint);
    if (check_misreadings(text, rest, named, endpoint) < 0)
        return -1;
    if (*rest.start == '[')
        return parse_brackets(text, rest, named, endpoint);
    if (!named && weir__all_digits(rest))
        return parse_port(text, rest, endpoint);
    struct weir__part host;
    if (!weir__cut(&rest, ':', &host))
        return end_without_port(text, host, named, endpoint);
    if (memchr(rest.start, ':', rest.length))
        return weir__wrong(text, "an IPv6 address stands in brackets, as in [::1]:8000");
    if (parse_host(text, host, endpoint) < 0)
        return -1;
    return parse_port(text, rest, endpoint);
}
