/*
 * Endpoints and addresses: what is read is written, and what was written is read as the same.
 *
 * The input is a byte that chooses the default scheme, and the text; the same bytes are then taken for a socket's address, as
 * a peer's may look.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/endpoint.h>

#include "fuzz.h"

enum { ROOM = 1024 }; /* for any address as text, uncut */

/* --- endpoints --- */

static void require_same_endpoint(const weir_endpoint *a, const weir_endpoint *b)
{
    fuzz_require(a->scheme == b->scheme && a->datagram == b->datagram && a->host_kind == b->host_kind &&
                     a->port == b->port && a->abstract == b->abstract && strcmp(a->host, b->host) == 0 &&
                     strcmp(a->path, b->path) == 0 && strcmp(a->text, b->text) == 0,
                 "'%s' and '%s'", a->text, b->text);
}

/* An address in digits is one for whoever else reads it. */
static void require_numeric(const weir_endpoint *endpoint)
{
    unsigned char bytes[16];
    char host[sizeof endpoint->host];
    strcpy(host, endpoint->host);
    host[strcspn(host, "%")] = '\0';
    int family = strchr(host, ':') ? AF_INET6 : AF_INET;
    fuzz_require(inet_pton(family, host, bytes) == 1, "host '%s'", endpoint->host);
}

static void require_host(const weir_endpoint *endpoint)
{
    const char *host = endpoint->host;
    fuzz_require(strspn(host, "*%:.-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(host),
                 "host '%s'", host);
    switch (endpoint->host_kind) {
    case WEIR_HOST_DEFAULT:
        fuzz_require(!*host, "host '%s'", host);
        break;
    case WEIR_HOST_ANY:
        fuzz_require(strcmp(host, "*") == 0, "host '%s'", host);
        break;
    case WEIR_HOST_NAME:
        fuzz_require(*host && strlen(host) <= 253 && *host != '.' && !strpbrk(host, "*:%"), "host '%s'", host);
        break;
    case WEIR_HOST_ADDRESS:
        require_numeric(endpoint);
        break;
    }
}

/* Whether no port stands in a URL of http's, which then is the scheme's own. */
static bool has_own_port(const weir_endpoint *endpoint, const char *text, size_t end)
{
    const char *host = strstr(text, "://"), *bracket = memchr(text, ']', end);
    if ((endpoint->scheme != WEIR_SCHEME_HTTP && endpoint->scheme != WEIR_SCHEME_HTTPS) || !host || host >= text + end)
        return false;
    host = bracket ? bracket : host + strlen("://");
    return !memchr(host, ':', (size_t)(text + end - host));
}

/* The port is the number at the end of what stands before a ?, and before the slash that may end http's. */
static void require_port(const weir_endpoint *endpoint, const char *text)
{
    size_t end = strcspn(text, "?");
    if (has_own_port(endpoint, text, end)) {
        fuzz_require(endpoint->port == (endpoint->scheme == WEIR_SCHEME_HTTP ? 80 : 443), "%u of '%s'", endpoint->port,
                     text);
        return;
    }
    if (weir_scheme_name(endpoint->scheme)[0] == 'h' && end > 0 && text[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9')
        start--;
    fuzz_require(start < end && strtoull(text + start, NULL, 10) == endpoint->port, "%u of '%s'", endpoint->port, text);
}

static void require_path(const weir_endpoint *endpoint)
{
    size_t length = strnlen(endpoint->path, sizeof endpoint->path);
    fuzz_require(length > 0 && length < sizeof endpoint->path, "%zu bytes", length);
    for (size_t i = 0; i < length; i++)
        fuzz_require((unsigned char)endpoint->path[i] >= ' ' && endpoint->path[i] != 0x7f, "byte %zu", i);
}

static void require_sound(const weir_endpoint *endpoint, const char *text)
{
    bool local = endpoint->scheme == WEIR_SCHEME_UNIX;
    fuzz_require(strcmp(weir_scheme_name(endpoint->scheme), "unknown") != 0, "%d", (int)endpoint->scheme);
    if (!local)
        fuzz_require(endpoint->datagram == (endpoint->scheme == WEIR_SCHEME_UDP), "'%s'", text);
    if (local)
        require_path(endpoint);
    else
        require_host(endpoint);
    if (!local)
        require_port(endpoint, text);
    fuzz_require(strlen(endpoint->text) < sizeof endpoint->text - 1, "'%s' is cut", endpoint->text);
    if (fuzz_is_utf8(text, strlen(text)))
        fuzz_require(fuzz_is_utf8(endpoint->text, strlen(endpoint->text)), "'%s'", endpoint->text);
}

static void try_endpoint(const char *text, const char *default_scheme)
{
    static const char *const others[] = {NULL, "tcp", "udp", "unix", "unix-datagram"};
    weir_endpoint endpoint, again;
    if (weir_parse_endpoint(text, default_scheme, &endpoint) < 0) {
        fuzz_require(errno == EINVAL, "errno %d", errno);
        fuzz_require_error(WEIR_ERROR_USAGE, &text, 1);
        return;
    }
    require_sound(&endpoint, text);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        fuzz_require(weir_parse_endpoint(endpoint.text, others[i], &again) == 0, "'%s' of '%s': %s", endpoint.text,
                     text, weir_error()->sentence);
        require_same_endpoint(&endpoint, &again);
    }
}

/* --- addresses as text --- */

static void require_same_address(const weir_address *a, const weir_address *b, const char *text)
{
    fuzz_require(weir_address_equal(a, b) && weir_address_equal(b, a), "'%s'", text);
    fuzz_require(weir_address_port(a) == weir_address_port(b), "'%s'", text);
    fuzz_require(weir_address_is_loopback(a) == weir_address_is_loopback(b), "'%s'", text);
}

/* Whatever the room, what is written is the beginning of the whole. */
static void require_cut_well(const weir_address *address, const char *whole, size_t size)
{
    char *text = fuzz_alloc(size);
    weir_address_text(address, text, size);
    size_t expected = size == 0 ? 0 : strlen(whole) < size ? strlen(whole) : size - 1;
    fuzz_require(size == 0 || (strlen(text) == expected && strncmp(text, whole, expected) == 0), "'%s' of '%s'", text,
                 whole);
    free(text);
}

/* Writes an address and reads it again. */
static void require_round_trip(const weir_address *address)
{
    char text[ROOM], twice[ROOM];
    weir_address again;
    weir_address_text(address, text, sizeof text);
    fuzz_require(weir_parse_address(text, &again) == 0, "'%s'", text);
    require_same_address(address, &again, text);
    fuzz_require(strcmp(weir_address_text(&again, twice, sizeof twice), text) == 0, "'%s', '%s'", text, twice);
}

static void try_address_text(const char *text)
{
    weir_address address = {.length = 77};
    errno = 0;
    if (weir_parse_address(text, &address) == 0)
        require_round_trip(&address);
    else
        fuzz_require(errno == EINVAL && address.length == 77, "errno %d, '%s'", errno, text);
}

/* --- addresses as the kernel hands them over --- */

/* Whether it is one that its text stands for wholly: a relative path gets a "./" before it, 108 bytes are one too many. */
static bool has_text_of_its_own(const weir_address *address)
{
    size_t name = address->length - offsetof(struct sockaddr_un, sun_path);
    switch (address->any.sa_family) {
    case AF_INET:
        return address->length == sizeof address->ipv4;
    case AF_INET6:
        return address->length == sizeof address->ipv6;
    case AF_UNIX:
        if (address->length < offsetof(struct sockaddr_un, sun_path))
            return false;
        if (name == 0 || address->local.sun_path[0] == '\0')
            return name <= sizeof address->local.sun_path;
        return (address->local.sun_path[0] == '/' || address->local.sun_path[0] == '.') &&
               strnlen(address->local.sun_path, name) < sizeof address->local.sun_path;
    default:
        return false;
    }
}

static void try_raw_address(const uint8_t *data, size_t size)
{
    static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC};
    weir_address address = {.length = 0};
    char text[ROOM], endpoint[ROOM];
    size_t most = sizeof address - offsetof(weir_address, any);
    if (size < 3)
        return;
    memcpy(&address.any, data + 1, size - 1 < most ? size - 1 : most);
    address.any.sa_family = families[data[1] % 4];
    address.length = address.any.sa_family == AF_INET    ? sizeof address.ipv4
                     : address.any.sa_family == AF_INET6 ? sizeof address.ipv6
                                                         : data[2] % (most + 1);
    weir_address_text(&address, text, sizeof text);
    for (const char *byte = text; *byte; byte++)
        fuzz_require(*byte > ' ' && *byte < 0x7f, "'%s'", text);
    require_cut_well(&address, text, data[0] % 140);
    weir_endpoint_text(data[0] % 3, data[0] & 1, &address, endpoint, sizeof endpoint);
    fuzz_require(address.length == 0 || strstr(endpoint, text) || strlen(text) >= WEIR_ADDRESS_TEXT - 1, "'%s' of '%s'",
                 endpoint, text);
    if (address.any.sa_family != AF_UNSPEC)
        require_same_address(&address, &address, text);
    if (has_text_of_its_own(&address))
        require_round_trip(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const schemes[] = {NULL, "tcp", "udp", "unix", "unix-datagram", "ftp"};
    struct fuzz_input input = fuzz_input(data, size);
    const char *scheme = schemes[fuzz_below(&input, 6)];
    char *text = fuzz_string(input.next, fuzz_left(&input));
    try_endpoint(text, scheme);
    try_address_text(text);
    free(text);
    try_raw_address(data, size);
    return 0;
}
