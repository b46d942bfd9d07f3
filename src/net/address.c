/* Addresses: as text and back, compared, and what kind they are. Nothing here asks the system. */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "net/address.h"

static const char hexadecimal[] = "0123456789abcdef";

size_t weir__local_name(const weir_address *address, const char **name)
{
    const size_t header = offsetof(struct sockaddr_un, sun_path);
    *name = address->local.sun_path;
    if (address->length <= header)
        return 0;
    size_t length = address->length - header;
    if (length > sizeof address->local.sun_path)
        length = sizeof address->local.sun_path;
    return **name == '\0' ? length : strnlen(*name, length); /* a path ends at its NUL, an abstract name does not */
}

/* Unix names come from peers, who may choose any bytes. */
static void put_escaped(struct weir__text *text, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte > ' ' && byte < 0x7f && byte != '\\') {
            weir__text_put_char(text, (char)byte);
            continue;
        }
        const char escape[4] = {'\\', 'x', hexadecimal[byte >> 4], hexadecimal[byte & 15]};
        weir__text_put_bytes(text, escape, sizeof escape);
    }
}

static void put_local(struct weir__text *text, const weir_address *address)
{
    const char *name;
    size_t length = weir__local_name(address, &name);
    if (length == 0) {
        weir__text_put(text, "unnamed");
    } else if (*name == '\0') {
        weir__text_put_char(text, '@');
        put_escaped(text, name + 1, length - 1);
    } else {
        /* so that a relative path is not taken for an abstract name or a host */
        if (*name != '/' && *name != '.')
            weir__text_put(text, "./");
        put_escaped(text, name, length);
    }
}

static void put_ipv4(struct weir__text *text, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i != 0)
            weir__text_put_char(text, '.');
        weir__text_put_number(text, bytes[i]);
    }
}

/* The longest run of zero groups, which RFC 5952 writes as "::"; a single one is not worth it. */
static int longest_zeros(const uint16_t *groups, int *length)
{
    int best = 8, best_length = 1;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && groups[i + run] == 0)
            run++;
        if (run > best_length) {
            best = i;
            best_length = run;
        }
        i += run;
    }
    *length = best_length;
    return best;
}

static void put_group(struct weir__text *text, uint16_t group)
{
    int shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0;
    for (; shift >= 0; shift -= 4)
        weir__text_put_char(text, hexadecimal[group >> shift & 15]);
}

static void put_groups(struct weir__text *text, const uint16_t *groups)
{
    int zeros_length, zeros = longest_zeros(groups, &zeros_length);
    for (int i = 0; i < 8; i++) {
        if (i == zeros) {
            weir__text_put(text, "::");
            i += zeros_length - 1;
            continue;
        }
        if (i != 0 && i != zeros + zeros_length)
            weir__text_put_char(text, ':');
        put_group(text, groups[i]);
    }
}

static void put_ipv6(struct weir__text *text, const struct sockaddr_in6 *address)
{
    const uint8_t *bytes = address->sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        weir__text_put(text, "::ffff:");
        put_ipv4(text, bytes + 12);
    } else {
        uint16_t groups[8];
        for (int i = 0; i < 8; i++)
            groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
        put_groups(text, groups);
    }
    if (address->sin6_scope_id != 0) {
        weir__text_put_char(text, '%');
        weir__text_put_number(text, address->sin6_scope_id);
    }
}

static void put_port(struct weir__text *text, const weir_address *address)
{
    weir__text_put_char(text, ':');
    weir__text_put_number(text, weir_address_port(address));
}

char *weir_address_text(const weir_address *address, char *data, size_t size)
{
    struct weir__text text = weir__text(data, size);
    if (address->length == 0) {
        weir__text_put(&text, "none");
    } else if (address->any.sa_family == AF_INET) {
        put_ipv4(&text, (const uint8_t *)&address->ipv4.sin_addr);
        put_port(&text, address);
    } else if (address->any.sa_family == AF_INET6) {
        weir__text_put_char(&text, '[');
        put_ipv6(&text, &address->ipv6);
        weir__text_put_char(&text, ']');
        put_port(&text, address);
    } else if (address->any.sa_family == AF_UNIX) {
        put_local(&text, address);
    } else {
        weir__text_put(&text, "unknown");
    }
    return data;
}

/* --- parsing --- */

static int invalid(void)
{
    errno = EINVAL;
    return -1;
}

/* Decimal digits alone, no more than `maximum`; `end` is where they must end. */
static int parse_number(const char *digits, const char *end, uint64_t maximum, uint64_t *number)
{
    *number = 0;
    if (digits == end)
        return -1;
    for (; digits != end; digits++) {
        if (*digits < '0' || *digits > '9')
            return -1;
        *number = *number * 10 + (uint64_t)(*digits - '0');
        if (*number > maximum)
            return -1;
    }
    return 0;
}

static int digit_value(char character)
{
    const char *place = character == '\0' ? NULL : strchr(hexadecimal, character);
    return place == NULL ? -1 : (int)(place - hexadecimal);
}

/* Undoes put_escaped. Returns the length, or -1 if an escape is malformed or there are more than `size` bytes. */
static ssize_t unescape(const char *text, char *bytes, size_t size)
{
    size_t length = 0;
    for (; *text != '\0'; length++) {
        if (length == size)
            return -1;
        if (*text != '\\') {
            bytes[length] = *text++;
            continue;
        }
        int high = text[1] == 'x' ? digit_value(text[2]) : -1;
        int low = high < 0 ? -1 : digit_value(text[3]);
        if (low < 0)
            return -1;
        bytes[length] = (char)(high << 4 | low);
        text += 4;
    }
    return (ssize_t)length;
}

int weir__local_address(bool abstract, const char *name, size_t length, weir_address *address)
{
    *address = (weir_address){.local.sun_family = AF_UNIX};
    if ((length == 0 && !abstract) || length > sizeof address->local.sun_path - 1)
        return invalid();
    memcpy(address->local.sun_path + abstract, name, length);
    /* one byte more in either case: the NUL before an abstract name, or the one behind a path */
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return 0;
}

static int parse_local(const char *text, weir_address *address)
{
    char name[sizeof address->local.sun_path - 1];
    bool abstract = *text == '@';
    ssize_t length = unescape(text + abstract, name, sizeof name);
    if (length < 0 || (!abstract && memchr(name, '\0', (size_t)length) != NULL))
        return invalid();
    return weir__local_address(abstract, name, (size_t)length, address);
}

static int parse_host(const char *host, size_t length, bool ipv6, weir_address *address)
{
    char copy[INET6_ADDRSTRLEN + 11]; /* and a scope */
    if (length >= sizeof copy)
        return invalid();
    memcpy(copy, host, length);
    copy[length] = '\0';
    if (!ipv6)
        return inet_pton(AF_INET, copy, &address->ipv4.sin_addr) == 1 ? 0 : invalid();
    char *scope = strchr(copy, '%');
    if (scope != NULL) {
        uint64_t number;
        if (parse_number(scope + 1, copy + length, UINT32_MAX, &number) < 0)
            return invalid();
        address->ipv6.sin6_scope_id = (uint32_t)number;
        *scope = '\0';
    }
    return inet_pton(AF_INET6, copy, &address->ipv6.sin6_addr) == 1 ? 0 : invalid();
}

int weir__numeric_address(const char *host, size_t length, uint16_t port, weir_address *address)
{
    bool ipv6 = memchr(host, ':', length) != NULL;
    *address = (weir_address){.any.sa_family = ipv6 ? AF_INET6 : AF_INET};
    if (parse_host(host, length, ipv6, address) < 0)
        return -1;
    weir__set_port(address, port);
    address->length = ipv6 ? sizeof address->ipv6 : sizeof address->ipv4;
    return 0;
}

static int parse_internet(const char *text, weir_address *address)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || parse_number(colon + 1, colon + strlen(colon), UINT16_MAX, &port) < 0)
        return invalid();
    bool ipv6 = *text == '[';
    if (ipv6 && (colon - text < 2 || colon[-1] != ']'))
        return invalid();
    size_t length = (size_t)(colon - text) - (ipv6 ? 2 : 0);
    if ((memchr(text + ipv6, ':', length) != NULL) != ipv6)
        return invalid();
    return weir__numeric_address(text + ipv6, length, (uint16_t)port, address);
}

int weir_parse_address(const char *text, weir_address *address)
{
    weir_address parsed;
    int result;
    if (*text == '/' || *text == '.' || *text == '@') {
        result = parse_local(text, &parsed);
    } else if (strcmp(text, "unnamed") == 0) {
        parsed = (weir_address){.length = sizeof(sa_family_t), .local.sun_family = AF_UNIX};
        result = 0;
    } else {
        result = parse_internet(text, &parsed);
    }
    if (result == 0)
        *address = parsed;
    return result;
}

/* --- questions --- */

static bool equal_ipv6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
           memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
}

static bool equal_local(const weir_address *a, const weir_address *b)
{
    const char *name_a, *name_b;
    size_t length = weir__local_name(a, &name_a);
    return length == weir__local_name(b, &name_b) && memcmp(name_a, name_b, length) == 0;
}

bool weir_address_equal(const weir_address *a, const weir_address *b)
{
    if (a->length == 0 || b->length == 0)
        return a->length == b->length;
    if (a->any.sa_family != b->any.sa_family)
        return false;
    switch (a->any.sa_family) {
    case AF_INET:
        return a->ipv4.sin_port == b->ipv4.sin_port && a->ipv4.sin_addr.s_addr == b->ipv4.sin_addr.s_addr;
    case AF_INET6:
        return equal_ipv6(&a->ipv6, &b->ipv6);
    case AF_UNIX:
        return equal_local(a, b);
    default:
        return false;
    }
}

bool weir_address_is_loopback(const weir_address *address)
{
    if (address->length == 0)
        return false;
    switch (address->any.sa_family) {
    case AF_INET:
        return *(const uint8_t *)&address->ipv4.sin_addr == IN_LOOPBACKNET;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&address->ipv6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr) &&
                address->ipv6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    default:
        return address->any.sa_family == AF_UNIX;
    }
}

unsigned weir_address_port(const weir_address *address)
{
    if (address->length == 0)
        return 0;
    switch (address->any.sa_family) {
    case AF_INET:
        return ntohs(address->ipv4.sin_port);
    case AF_INET6:
        return ntohs(address->ipv6.sin6_port);
    default:
        return 0;
    }
}

void weir__set_port(weir_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->ipv4.sin_port = htons(port);
    else if (address->any.sa_family == AF_INET6)
        address->ipv6.sin6_port = htons(port);
}

bool weir__address_is_any(const weir_address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->ipv4.sin_addr.s_addr == htonl(INADDR_ANY);
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->ipv6.sin6_addr);
}

bool weir__address_is_group(const weir_address *address)
{
    struct in_addr ipv4 = address->ipv4.sin_addr;
    if (address->any.sa_family == AF_INET6) {
        if (!IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr))
            return IN6_IS_ADDR_MULTICAST(&address->ipv6.sin6_addr);
        memcpy(&ipv4, address->ipv6.sin6_addr.s6_addr + 12, sizeof ipv4);
    } else if (address->any.sa_family != AF_INET) {
        return false;
    }
    return IN_MULTICAST(ntohl(ipv4.s_addr)) || ipv4.s_addr == htonl(INADDR_BROADCAST);
}
