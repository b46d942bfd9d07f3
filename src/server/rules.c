/* Rules: networks, read and matched, in the order they were given in. */
#include "server/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "net/address.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = IPV6_BITS - IPV4_BITS };

/* The bytes of an address, of IPv4 4 and of IPv6 16; IPv4 mapped into IPv6 is IPv4. */
struct bytes {
    unsigned bits; /* 0: no such address */
    uint8_t byte[16];
};

struct rule {
    struct bytes network;
    unsigned prefix;
    bool allow;
};

struct weir__rules {
    size_t count;
    bool others; /* whether who matches none is let in */
    struct rule rule[];
};

/* --- addresses --- */

static struct bytes bytes_of(const weir_address *address)
{
    struct bytes bytes = {0};
    if (address->length == 0)
        return bytes;
    const uint8_t *ipv6 = address->ipv6.sin6_addr.s6_addr;
    if (address->any.sa_family == AF_INET) {
        bytes.bits = IPV4_BITS;
        memcpy(bytes.byte, &address->ipv4.sin_addr, 4);
    } else if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr)) {
        bytes.bits = IPV4_BITS;
        memcpy(bytes.byte, ipv6 + 12, 4);
    } else if (address->any.sa_family == AF_INET6) {
        bytes.bits = IPV6_BITS;
        memcpy(bytes.byte, ipv6, 16);
    }
    return bytes;
}

/* Sets all bits behind the first `prefix` to zero. */
static struct bytes network_of(struct bytes bytes, unsigned prefix)
{
    for (unsigned i = 0; i < sizeof bytes.byte; i++) {
        unsigned left = prefix > 8 * i ? prefix - 8 * i : 0;
        if (left < 8)
            bytes.byte[i] &= (uint8_t)(0xff00u >> left);
    }
    return bytes;
}

static bool same(const struct bytes *a, const struct bytes *b)
{
    return a->bits == b->bits && memcmp(a->byte, b->byte, sizeof a->byte) == 0;
}

/* --- reading --- */

static int fail(const char *name, const char *text, const char *reason)
{
    char subject[200];
    struct weir__text out = weir__text(subject, sizeof subject);
    weir__text_put(&out, "--");
    weir__text_put(&out, name);
    weir__text_put_char(&out, ' ');
    weir__text_put(&out, *text ? text : "''");
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", subject, "%s", reason);
}

/* Digits alone, at most three, without zeros in front. -1 for all else. */
static int prefix_number(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 3 || strspn(text, "0123456789") != length || (*text == '0' && length > 1))
        return -1;
    return atoi(text);
}

/* *number stays as it is where the text has no prefix. 0, or a reason why not. */
static const char *read_prefix(const char *slash, unsigned most, unsigned *number)
{
    int prefix = slash ? prefix_number(slash + 1) : (int)*number;
    if (prefix < 0)
        return "the prefix behind the / is not a number of bits";
    if ((unsigned)prefix > most)
        return most == IPV4_BITS ? "the prefix is longer than 32 bits" : "the prefix is longer than 128 bits";
    *number = (unsigned)prefix;
    return NULL;
}

static const char *read_network(const char *text, struct rule *rule)
{
    weir_address address;
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    if (memchr(text, '%', length))
        return "an address with a zone: clients are told by their addresses alone";
    if (weir__numeric_address(text, length, 0, &address) < 0)
        return "not an address or network, such as 10.0.0.1, 10.0.0.0/8, ::1 or fd00::/8";
    rule->network = bytes_of(&address);
    bool mapped = rule->network.bits == IPV4_BITS && address.any.sa_family == AF_INET6;
    unsigned written = mapped ? IPV6_BITS : rule->network.bits;
    rule->prefix = written;
    const char *reason = read_prefix(slash, written, &rule->prefix);
    if (reason || !mapped)
        return reason;
    if (rule->prefix < MAPPED_BITS)
        return "the prefix of an IPv4 address in IPv6 is at least 96 bits";
    rule->prefix -= MAPPED_BITS;
    return NULL;
}

static int read_rule(const char *name, const char *text, struct rule *rule)
{
    rule->allow = strcmp(name, "allow") == 0;
    if (!rule->allow && strcmp(name, "deny") != 0)
        return fail(name, text, "a rule is one of allow and deny");
    const char *reason = read_network(text, rule);
    if (reason)
        return fail(name, text, reason);
    struct bytes network = network_of(rule->network, rule->prefix);
    return same(&network, &rule->network)
               ? 0
               : fail(name, text, "the address goes on behind the prefix: zeros are to follow it");
}

int weir__rules_parse(const weir_option_list *texts, struct weir__rules **rules)
{
    *rules = NULL;
    if (texts->count == 0)
        return 0;
    struct weir__rules *made = calloc(1, sizeof *made + texts->count * sizeof made->rule[0]);
    if (!made)
        return weir__fail_memory("rules");
    made->others = true;
    for (; made->count < texts->count; made->count++) {
        struct rule *rule = &made->rule[made->count];
        if (read_rule(texts->names[made->count], texts->items[made->count], rule) < 0) {
            free(made);
            return -1;
        }
        made->others &= !rule->allow;
    }
    *rules = made;
    return 0;
}

void weir__rules_free(struct weir__rules *rules)
{
    free(rules);
}

/* --- matching --- */

bool weir__rules_allow(const struct weir__rules *rules, const weir_address *address)
{
    if (address->length && address->any.sa_family == AF_UNIX)
        return true;
    struct bytes bytes = bytes_of(address);
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rule[i];
        struct bytes network = network_of(bytes, rule->prefix);
        if (same(&network, &rule->network))
            return rule->allow;
    }
    return rules->others;
}
