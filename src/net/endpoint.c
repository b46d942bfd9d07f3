/* Endpoints: the notation SCHEME://HOST:PORT?key=value, taken apart strictly and written in full. One table of schemes. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "net/endpoint.h"

/* A scheme. Those with a path in place of host and port are written SCHEME:PATH. */
struct scheme {
    const char *name;
    bool local;    /* a path or an abstract name, no host and port */
    bool datagram; /* the socket's type, where no key says otherwise */
    bool secure;   /* through TLS */
    uint16_t port; /* where none is named after SCHEME://HOST; 0: one must be */
};

static const struct scheme schemes[] = {
    [WEIR_SCHEME_TCP] = {.name = "tcp"},
    [WEIR_SCHEME_UDP] = {.name = "udp", .datagram = true},
    [WEIR_SCHEME_UNIX] = {.name = "unix", .local = true},
    [WEIR_SCHEME_TLS] = {.name = "tls", .secure = true},
    [WEIR_SCHEME_HTTP] = {.name = "http", .port = 80},
    [WEIR_SCHEME_HTTPS] = {.name = "https", .secure = true, .port = 443},
};

enum { SCHEMES = sizeof schemes / sizeof *schemes };

/* --- the scheme --- */

static const struct scheme *find_scheme(struct weir__part name)
{
    for (size_t i = 0; i < SCHEMES; i++)
        if (weir__part_is(name, schemes[i].name))
            return &schemes[i];
    return NULL;
}

/* The length of "NAME://" at the start of a text, for any NAME that could be a scheme's; 0 if there is none. */
static size_t url_length(const char *text)
{
    size_t length = 0;
    while (weir__is_letter(text[length]) || weir__is_digit(text[length]) ||
           (text[length] != '\0' && strchr("+-.", text[length])))
        length++;
    return length > 0 && strncmp(text + length, "://", 3) == 0 ? length + 3 : 0;
}

/* As a service names its transports: "unix-datagram" is a default, not a scheme of endpoints. */
static int use_default(const char *text, const char *name, weir_endpoint *endpoint)
{
    bool unix_datagram = name != NULL && strcmp(name, "unix-datagram") == 0;
    struct weir__part part = {.start = unix_datagram ? "unix" : name == NULL ? "tcp" : name};
    part.length = strlen(part.start);
    const struct scheme *scheme = find_scheme(part);
    if (scheme == NULL)
        return weir__wrong(text, "unknown scheme %.*s", WEIR__SHOWN(part));
    endpoint->scheme = (weir_scheme)(scheme - schemes);
    endpoint->datagram = scheme->datagram || unix_datagram;
    return 0;
}

/* "SCHEME:" without "//", which only paths may follow. */
static int parse_short_scheme(const char *text, struct weir__part *rest, weir_endpoint *endpoint)
{
    struct weir__part after = *rest, name;
    const struct scheme *scheme = weir__cut(&after, ':', &name) ? find_scheme(name) : NULL;
    if (scheme == NULL)
        return 0;
    if (!scheme->local)
        return weir__wrong(text, "after %s: comes //, as in %s://localhost:8000", scheme->name, scheme->name);
    endpoint->scheme = (weir_scheme)(scheme - schemes);
    endpoint->datagram = scheme->datagram;
    *rest = after;
    return 1;
}

/* "SCHEME://". A path may follow it too, since an empty host is this one: unix:///run/socket. */
static int parse_url_scheme(const char *text, size_t length, struct weir__part *rest, weir_endpoint *endpoint)
{
    struct weir__part name = {text, length - 3};
    const struct scheme *scheme = find_scheme(name);
    if (scheme == NULL)
        return weir__wrong(text, "unknown scheme %.*s", WEIR__SHOWN(name));
    if (scheme->local && text[length] != '/')
        return weir__wrong(text, "a path follows %s: at once, as in %s:/run/socket", scheme->name, scheme->name);
    endpoint->scheme = (weir_scheme)(scheme - schemes);
    endpoint->datagram = scheme->datagram;
    rest->start += length;
    rest->length -= length;
    return 1;
}

/* Returns 1 if the text names its scheme, 0 if the default holds, -1 with an error. */
static int parse_scheme(const char *text, const char *default_scheme, struct weir__part *rest, weir_endpoint *endpoint)
{
    if (use_default(text, default_scheme, endpoint) < 0)
        return -1;
    size_t length = url_length(text);
    if (length > 0)
        return parse_url_scheme(text, length, rest, endpoint);
    return parse_short_scheme(text, rest, endpoint);
}

/* --- paths --- */

static int parse_path(const char *text, struct weir__part path, weir_endpoint *endpoint)
{
    endpoint->abstract = path.length > 0 && *path.start == '@';
    if (endpoint->abstract) {
        path.start++;
        path.length--;
    }
    if (path.length == 0)
        return weir__wrong(text, endpoint->abstract ? "the name after @ is missing" : "the path is missing");
    if (path.length >= sizeof endpoint->path)
        return weir__wrong(text, "the path is longer than %zu bytes", sizeof endpoint->path - 1);
    if (path.length > 1 && path.start[0] == '/' && path.start[1] == '/')
        return weir__wrong(text, "the path begins with two slashes");
    for (size_t i = 0; i < path.length; i++)
        if ((unsigned char)path.start[i] < ' ' || path.start[i] == 0x7f)
            return weir__wrong(text, "byte %zu of the path is a control character", i + 1);
    weir__copy_part(endpoint->path, path);
    return 0;
}

/* --- keys --- */

static int set_type(const char *text, struct weir__part value, weir_endpoint *endpoint)
{
    if (weir__part_is(value, "stream"))
        endpoint->datagram = false;
    else if (weir__part_is(value, "datagram"))
        endpoint->datagram = true;
    else
        return weir__wrong(text, "type %.*s is neither stream nor datagram", WEIR__SHOWN(value));
    return 0;
}

/* What may stand behind the ?, for which schemes. */
static const struct key {
    const char *name;
    unsigned schemes; /* bits of weir_scheme */
    int (*set)(const char *text, struct weir__part value, weir_endpoint *endpoint);
} keys[] = {
    {"type", 1u << WEIR_SCHEME_UNIX, set_type},
};

static int parse_key(const char *text, struct weir__part pair, unsigned *seen, weir_endpoint *endpoint)
{
    struct weir__part name;
    bool valued = weir__cut(&pair, '=', &name);
    if (name.length == 0)
        return weir__wrong(text, "a key is missing");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!weir__part_is(name, keys[i].name) || !(keys[i].schemes & 1u << endpoint->scheme))
            continue;
        if (!valued)
            return weir__wrong(text, "key %s has no value", keys[i].name);
        if (*seen & 1u << i)
            return weir__wrong(text, "key %s comes twice", keys[i].name);
        *seen |= 1u << i;
        return keys[i].set(text, pair, endpoint);
    }
    return weir__wrong(text, "%s endpoints have no key %.*s", schemes[endpoint->scheme].name, WEIR__SHOWN(name));
}

static int parse_keys(const char *text, struct weir__part rest, weir_endpoint *endpoint)
{
    struct weir__part pair;
    unsigned seen = 0;
    bool more = true;
    while (more) {
        more = weir__cut(&rest, '&', &pair);
        if (parse_key(text, pair, &seen, endpoint) < 0)
            return -1;
    }
    return 0;
}

/* --- the whole --- */

static void put_end(struct weir__text *text, weir_scheme scheme, bool datagram)
{
    if (schemes[scheme].local && datagram)
        weir__text_put(text, "?type=datagram");
}

static void write_text(weir_endpoint *endpoint)
{
    struct weir__text text = weir__text(endpoint->text, sizeof endpoint->text);
    weir__text_put(&text, schemes[endpoint->scheme].name);
    if (schemes[endpoint->scheme].local) {
        weir__text_put(&text, endpoint->abstract ? ":@" : ":");
        weir__text_put(&text, endpoint->path);
    } else {
        bool brackets = strchr(endpoint->host, ':') != NULL;
        weir__text_put(&text, brackets ? "://[" : "://");
        weir__text_put(&text, endpoint->host);
        weir__text_put(&text, brackets ? "]:" : ":");
        weir__text_put_number(&text, endpoint->port);
    }
    put_end(&text, endpoint->scheme, endpoint->datagram);
}

int weir_parse_endpoint(const char *text, const char *default_scheme, weir_endpoint *endpoint)
{
    *endpoint = (weir_endpoint){0};
    if (text == NULL)
        return weir__wrong(NULL, "there is no endpoint");
    struct weir__part rest = {text, strlen(text)}, body;
    int named = parse_scheme(text, default_scheme, &rest, endpoint);
    if (named < 0)
        return -1;
    bool keyed = weir__cut(&rest, '?', &body);
    int result = schemes[endpoint->scheme].local ? parse_path(text, body, endpoint)
                                                 : weir__parse_host_and_port(text, body, named, endpoint);
    if (result < 0 || (keyed && parse_keys(text, rest, endpoint) < 0))
        return -1;
    write_text(endpoint);
    return 0;
}

char *weir_endpoint_text(weir_scheme scheme, bool datagram, const weir_address *address, char *data, size_t size)
{
    struct weir__text text = weir__text(data, size);
    if (address->length == 0) {
        weir__text_put(&text, "unconnected");
        return data;
    }
    weir__text_put(&text, schemes[scheme].name);
    weir__text_put(&text, schemes[scheme].local ? ":" : "://");
    char name[WEIR_ADDRESS_TEXT];
    weir__text_put(&text, weir_address_text(address, name, sizeof name));
    put_end(&text, scheme, datagram);
    return data;
}

const char *weir_scheme_name(weir_scheme scheme)
{
    return (size_t)scheme < SCHEMES ? schemes[scheme].name : "unknown";
}

bool weir_scheme_is_secure(weir_scheme scheme)
{
    return (size_t)scheme < SCHEMES && schemes[scheme].secure;
}

uint16_t weir__scheme_port(weir_scheme scheme)
{
    return schemes[scheme].port;
}
