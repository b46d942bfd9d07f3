/* Names and the resolver: those of hosts, those that a scenario gives, and digits. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/route.h"

/* Nobody answers in these: 10.255.0.0/16 and fdff::/16. */
#define DEAD_IP4 "10.255.0.1"
#define DEAD_IP6 "fdff::1"

struct name {
    struct weir__list link;
    char *addresses; /* behind the text */
    char text[];
};

/* --- what a scenario says --- */

static struct weir_sim_host *host_named(const char *name)
{
    struct weir__list *link;
    weir__list_each(link, &weir__sim_here->hosts)
    {
        struct weir_sim_host *host = weir__list_entry(link, struct weir_sim_host, link);
        if (strcmp(host->name, name) == 0)
            return host;
    }
    return NULL;
}

/* One word of the addresses of a name, its family cut off. Where the next one begins; NULL: there is none. */
static const char *next_word(const char *addresses, char *word, size_t size, int *family)
{
    addresses += strspn(addresses, " ");
    size_t length = strcspn(addresses, " ");
    if (length == 0)
        return NULL;
    const char *next = addresses + length;
    *family = AF_UNSPEC;
    if (length > 2 && addresses[length - 2] == '/') {
        *family = addresses[length - 1] == '4' ? AF_INET : AF_INET6;
        length -= 2;
    }
    length = length < size ? length : size - 1;
    memcpy(word, addresses, length);
    word[length] = '\0';
    return next;
}

/* `refusing` is a host like any other, on which nothing runs. */
static void make_refusing(const char *addresses)
{
    char word[64];
    int family;
    while ((addresses = next_word(addresses, word, sizeof word, &family)))
        if (strcmp(word, "refusing") == 0 && !host_named(word))
            weir_sim_host_new(word);
}

void weir_sim_name(const char *name, const char *addresses)
{
    size_t length = strlen(name) + 1, size = strlen(addresses) + 1;
    struct name *one = malloc(sizeof *one + length + size);
    if (!one)
        abort();
    memcpy(one->text, name, length);
    one->addresses = memcpy(one->text + length, addresses, size);
    weir__list_push_front(&weir__sim_names(weir__sim_here)->names, &one->link);
    make_refusing(addresses);
}

void weir__sim_names_free(struct weir__sim_names *names)
{
    struct weir__list *link;
    while ((link = weir__list_pop_front(&names->names)))
        free(weir__list_entry(link, struct name, link));
}

static const struct name *find_name(const char *text)
{
    struct weir__list *link;
    weir__list_each(link, &weir__sim_here->names->names)
    {
        const struct name *one = weir__list_entry(link, struct name, link);
        if (strcmp(one->text, text) == 0)
            return one;
    }
    return NULL;
}

/* --- addresses that drop everything --- */

static bool is_dead4(const void *address)
{
    const unsigned char *bytes = address;
    return bytes[0] == 10 && bytes[1] == 255;
}

bool weir__sim_is_dead(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_dead4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *ip6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(ip6))
        return is_dead4(ip6->s6_addr + 12);
    return ip6->s6_addr[0] == 0xfd && ip6->s6_addr[1] == 0xff;
}

/* --- the resolver --- */

/* One result with its address, in one piece. */
struct answer {
    struct addrinfo info;
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } address;
};

/* Answers under construction. */
struct answers {
    const struct addrinfo *hints;
    uint16_t port; /* of the network's order */
    struct addrinfo *first, **last;
    bool known; /* the name is, whether it has an address of the family or not */
    bool no_memory;
};

static void add_answer(struct answers *answers, int family, const void *address, int type, int protocol)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer) {
        answers->no_memory = true;
        return;
    }
    bool ip4 = family == AF_INET;
    if (ip4)
        answer->address.ip4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = answers->port};
    else
        answer->address.ip6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = answers->port};
    if (ip4)
        memcpy(&answer->address.ip4.sin_addr, address, sizeof answer->address.ip4.sin_addr);
    else
        memcpy(&answer->address.ip6.sin6_addr, address, sizeof answer->address.ip6.sin6_addr);
    answer->info = (struct addrinfo){.ai_family = family,
                                     .ai_socktype = type,
                                     .ai_protocol = protocol,
                                     .ai_addrlen = ip4 ? sizeof answer->address.ip4 : sizeof answer->address.ip6,
                                     .ai_addr = &answer->address.any};
    *answers->last = &answer->info;
    answers->last = &answer->info.ai_next;
}

/* An address, once for each type of socket that the caller wants. */
static void add_address(struct answers *answers, int family, const void *address)
{
    const struct addrinfo *hints = answers->hints;
    int type = hints ? hints->ai_socktype : 0;
    answers->known = true;
    if (hints && hints->ai_family != AF_UNSPEC && hints->ai_family != family)
        return;
    if (type == 0 || type == SOCK_STREAM)
        add_answer(answers, family, address, SOCK_STREAM, IPPROTO_TCP);
    if (type == 0 || type == SOCK_DGRAM)
        add_answer(answers, family, address, SOCK_DGRAM, IPPROTO_UDP);
}

static void add_text(struct answers *answers, int family, const char *digits)
{
    struct in6_addr address;
    if (inet_pton(family, digits, &address) == 1)
        add_address(answers, family, &address);
}

/* IPv6 first, as happy eyeballs have it. */
static void add_host(struct answers *answers, const struct weir_sim_host *host, int family)
{
    if (family != AF_INET)
        add_address(answers, AF_INET6, &host->ip6);
    if (family != AF_INET6)
        add_address(answers, AF_INET, &host->ip4);
}

static void add_dead(struct answers *answers, int family)
{
    if (family != AF_INET)
        add_text(answers, AF_INET6, DEAD_IP6);
    if (family != AF_INET6)
        add_text(answers, AF_INET, DEAD_IP4);
}

static void add_word(struct answers *answers, const char *name, const char *word, int family)
{
    const struct weir_sim_host *host = host_named(word);
    if (host)
        add_host(answers, host, family);
    else if (strcmp(word, "dead") == 0)
        add_dead(answers, family);
    else
        weir__sim_fail("the name %s has the address %s, which is no host", name, word);
}

static void add_name(struct answers *answers, const struct name *name)
{
    char word[64];
    int family;
    const char *rest = name->addresses;
    while ((rest = next_word(rest, word, sizeof word, &family)))
        add_word(answers, name->text, word, family);
}

static void look_up(struct answers *answers, const char *text)
{
    const struct name *name = find_name(text);
    const struct weir_sim_host *host = name ? NULL : host_named(text);
    if (name)
        add_name(answers, name);
    else if (host)
        add_host(answers, host, AF_UNSPEC);
    else if (strcmp(text, "localhost") == 0) {
        add_text(answers, AF_INET6, "::1");
        add_text(answers, AF_INET, "127.0.0.1");
    }
}

/* The EAI_ number of what the answers have come to. */
static int result_of(const struct answers *answers)
{
    if (answers->no_memory)
        return EAI_MEMORY;
    if (answers->first)
        return 0;
    return answers->known ? EAI_ADDRFAMILY : EAI_NONAME;
}

int weir__sim_resolve(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **result)
{
    struct answers answers = {.hints = hints, .last = &answers.first};
    answers.port = htons(port ? (uint16_t)strtoul(port, NULL, 10) : 0);
    *result = NULL;
    if (!host)
        host = hints && (hints->ai_flags & AI_PASSIVE) ? "::" : "::1";
    add_text(&answers, AF_INET, host);
    add_text(&answers, AF_INET6, host);
    if (!answers.known && hints && (hints->ai_flags & AI_NUMERICHOST))
        return EAI_NONAME;
    if (!answers.known && weir__sim_strikes_rarely(WEIR_SIM_CONNECT, 4))
        return EAI_AGAIN;
    if (!answers.known)
        look_up(&answers, host);
    int number = result_of(&answers);
    if (number == 0)
        *result = answers.first;
    else
        weir__sim_resolve_free(answers.first);
    return number;
}

void weir__sim_resolve_free(struct addrinfo *result)
{
    while (result) {
        struct addrinfo *next = result->ai_next;
        free(result); /* the first member of an answer */
        result = next;
    }
}
