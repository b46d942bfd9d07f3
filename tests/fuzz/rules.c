/*
 * Rules of who is let in (--allow, --deny), judged by Python's way of putting it: inet_pton's addresses, a number of bits,
 * and zeros behind them; and matching by counting equal bits.
 *
 * The input is lines: "+TEXT" an allow, any other a deny.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "server/rules.h"

enum { MOST = 16 };

/* An address as 128 bits, those of IPv4 mapped; `family` tells them apart. */
struct network {
    int family; /* AF_INET, AF_INET6; 0: the text is none */
    uint8_t byte[16];
    int bits; /* of the 128 */
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static int bit_of(const uint8_t *bytes, int bit)
{
    return bytes[bit / 8] >> (7 - bit % 8) & 1;
}

static void read_host(const char *host, struct network *network)
{
    memcpy(network->byte, mapped, sizeof mapped);
    if (inet_pton(AF_INET, host, network->byte + 12) == 1)
        network->family = AF_INET;
    else if (inet_pton(AF_INET6, host, network->byte) == 1)
        network->family = memcmp(network->byte, mapped, sizeof mapped) == 0 ? AF_INET : AF_INET6;
}

static int read_bits(const char *digits)
{
    size_t length = strlen(digits);
    bool number = length > 0 && length < 4 && strspn(digits, "0123456789") == length;
    return number && (length == 1 || *digits != '0') ? (int)strtol(digits, NULL, 10) : -1;
}

static struct network read_network(const char *text)
{
    struct network network = {.bits = 128};
    char *host = strdup(text), *slash = strchr(host, '/');
    if (slash)
        *slash = '\0';
    read_host(host, &network);
    if (slash) {
        int bits = read_bits(slash + 1);
        network.bits = bits < 0 || strchr(host, ':') ? bits : 96 + bits;
    }
    bool narrow = network.family == AF_INET && network.bits < 96;
    if (network.bits < 0 || network.bits > 128 || narrow)
        network.family = 0;
    for (int i = network.bits; network.family && i < 128; i++)
        if (bit_of(network.byte, i))
            network.family = 0;
    free(host);
    return network;
}

static bool matches(const struct network *network, const struct network *address)
{
    int same = 0;
    while (same < 128 && bit_of(network->byte, same) == bit_of(address->byte, same))
        same++;
    return network->family == address->family && same >= network->bits;
}

static weir_address address_of(const struct network *network, bool as_ipv6)
{
    weir_address address = {.length = sizeof address.ipv6};
    address.any.sa_family = network->family == AF_INET && !as_ipv6 ? AF_INET : AF_INET6;
    if (address.any.sa_family == AF_INET) {
        address.length = sizeof address.ipv4;
        memcpy(&address.ipv4.sin_addr, network->byte + 12, 4);
    } else {
        memcpy(&address.ipv6.sin6_addr, network->byte, 16);
    }
    return address;
}

struct all {
    const char *names[MOST], *texts[MOST];
    struct network networks[MOST];
    size_t count;
};

static bool expected(const struct all *all, const struct network *address)
{
    bool any_allow = false;
    for (size_t i = 0; i < all->count; i++) {
        bool allow = all->names[i][0] == 'a';
        if (matches(&all->networks[i], address))
            return allow;
        any_allow |= allow;
    }
    return !any_allow;
}

/* Each network's first address, and those that differ from it in one bit. */
static void match_all(const struct all *all, const struct weir__rules *rules)
{
    for (size_t i = 0; i < all->count; i++)
        for (int bit = 95; bit <= 128; bit++) {
            struct network address = all->networks[i];
            int flipped = address.family == AF_INET ? bit : (bit - 95) * 4;
            if (flipped >= (address.family == AF_INET ? 96 : 0) && flipped < 128)
                address.byte[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
            if (address.family == AF_INET6 && memcmp(address.byte, mapped, sizeof mapped) == 0)
                continue; /* it has become an IPv4 address */
            weir_address asked = address_of(&address, bit % 2);
            fuzz_require(weir__rules_allow(rules, &asked) == expected(all, &address), "rule %s, bit %d", all->texts[i],
                         bit);
        }
}

static void try_one(struct all *all, char *line)
{
    struct weir__rules *rules;
    bool allow = *line == '+';
    all->names[all->count] = allow ? "allow" : "deny";
    all->texts[all->count] = line + allow;
    all->networks[all->count] = read_network(line + allow);
    weir_option_list one = {&all->texts[all->count], &all->names[all->count], 1};
    int result = weir__rules_parse(&one, &rules), number = errno;
    bool valid = all->networks[all->count].family;
    fuzz_require((result == 0) == valid, "'%s' is read as %d", line + allow, result);
    weir__rules_free(rules);
    errno = number;
    if (result < 0)
        fuzz_require_error(WEIR_ERROR_USAGE, &all->texts[all->count], 1);
    all->count += valid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size), *rest = text;
    struct all all = {.count = 0};
    for (char *line; all.count < MOST && (line = strsep(&rest, "\n"));)
        try_one(&all, line);
    struct weir__rules *rules;
    weir_option_list list = {all.texts, all.names, all.count};
    fuzz_require(weir__rules_parse(&list, &rules) == 0, "what was read one by one is not read together");
    if (rules)
        match_all(&all, rules);
    weir__rules_free(rules);
    free(text);
    return 0;
}
