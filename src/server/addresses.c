/* How many connections each client address has, in a table no larger than the connections there are. */
#include "server/addresses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"

enum { FIRST_SIZE = 64 };

static uint64_t ipv4_key(const void *bytes)
{
    uint32_t address;
    memcpy(&address, bytes, sizeof address);
    return UINT64_C(0x0000ffff00000000) | ntohl(address); /* no /64 that is routed begins so */
}

static uint64_t ipv6_key(const struct in6_addr *address)
{
    uint64_t key = 0;
    if (IN6_IS_ADDR_V4MAPPED(address))
        return ipv4_key(address->s6_addr + 12);
    for (int i = 0; i < 8; i++)
        key = key << 8 | address->s6_addr[i];
    return key ? key : 1; /* ::/64 is counted too */
}

uint64_t weir__address_key(const weir_address *address)
{
    if (weir_address_is_loopback(address))
        return 0;
    if (address->any.sa_family == AF_INET)
        return ipv4_key(&address->ipv4.sin_addr);
    return address->any.sa_family == AF_INET6 ? ipv6_key(&address->ipv6.sin6_addr) : 0;
}

uint64_t weir__address_hash(uint64_t key, uint64_t seed)
{
    uint64_t hash = key ^ seed;
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return (hash ^ hash >> 31) + seed;
}

int weir__addresses_init(struct weir__addresses *addresses)
{
    *addresses = (struct weir__addresses){0};
    weir__system()->random(&addresses->seed, sizeof addresses->seed);
    return pthread_mutex_init(&addresses->lock, NULL);
}

void weir__addresses_free(struct weir__addresses *addresses)
{
    pthread_mutex_destroy(&addresses->lock);
    free(addresses->table);
}

static size_t home_of(const struct weir__addresses *addresses, uint64_t key)
{
    return weir__address_hash(key, addresses->seed) & (addresses->size - 1);
}

/* Where the key is, or the free place where it would be. There is always a free one. */
static size_t place_of(const struct weir__addresses *addresses, uint64_t key)
{
    size_t place = home_of(addresses, key);
    while (addresses->table[place].key && addresses->table[place].key != key)
        place = (place + 1) & (addresses->size - 1);
    return place;
}

static int grow(struct weir__addresses *addresses)
{
    struct weir__addresses larger = *addresses;
    larger.size = addresses->size ? addresses->size * 2 : FIRST_SIZE;
    larger.table = calloc(larger.size, sizeof *larger.table);
    if (!larger.table)
        return -1;
    for (size_t i = 0; i < addresses->size; i++)
        if (addresses->table[i].key)
            larger.table[place_of(&larger, addresses->table[i].key)] = addresses->table[i];
    free(addresses->table);
    addresses->table = larger.table;
    addresses->size = larger.size;
    return 0;
}

static int take(struct weir__addresses *addresses, uint64_t key, int64_t maximum)
{
    if (addresses->used * 4 >= addresses->size * 3 && grow(addresses) < 0)
        return -1;
    struct weir__address_count *counted = &addresses->table[place_of(addresses, key)];
    if (maximum >= 0 && counted->count >= maximum) {
        errno = EUSERS;
        return -1;
    }
    if (!counted->key) {
        counted->key = key;
        addresses->used++;
    }
    counted->count++;
    return 0;
}

/* Frees a place, and moves up those behind it that would no longer be found across it. */
static void vacate(struct weir__addresses *addresses, size_t hole)
{
    size_t mask = addresses->size - 1;
    for (size_t next = (hole + 1) & mask; addresses->table[next].key; next = (next + 1) & mask) {
        size_t home = home_of(addresses, addresses->table[next].key);
        if (((next - home) & mask) < ((next - hole) & mask))
            continue; /* its home lies behind the hole */
        addresses->table[hole] = addresses->table[next];
        hole = next;
    }
    addresses->table[hole] = (struct weir__address_count){0};
    addresses->used--;
}

static void give(struct weir__addresses *addresses, uint64_t key)
{
    if (!addresses->size)
        return;
    size_t place = place_of(addresses, key);
    if (addresses->table[place].key && --addresses->table[place].count == 0)
        vacate(addresses, place);
}

int weir__addresses_take(struct weir__addresses *addresses, uint64_t key, int64_t maximum)
{
    if (!key)
        return 0;
    pthread_mutex_lock(&addresses->lock);
    int result = take(addresses, key, maximum);
    pthread_mutex_unlock(&addresses->lock);
    return result;
}

void weir__addresses_give(struct weir__addresses *addresses, uint64_t key)
{
    if (!key)
        return;
    pthread_mutex_lock(&addresses->lock);
    give(addresses, key);
    pthread_mutex_unlock(&addresses->lock);
}
