/* How many connections each client address has: one table a server, shared by its workers. */
#ifndef WEIR_SERVER_ADDRESSES_H
#define WEIR_SERVER_ADDRESSES_H

#include <pthread.h>
#include <weir/endpoint.h>

struct weir__address_count {
    uint64_t key; /* 0: the place is free */
    int64_t count;
};

struct weir__addresses {
    pthread_mutex_t lock;
    struct weir__address_count *table; /* open addressing; NULL until the first is counted */
    size_t size;                       /* of the table, a power of two */
    size_t used;
    uint64_t seed; /* so that nobody can choose addresses that collide */
};

/*
 * What an address is counted as: an IPv4 address (mapped into IPv6 or not), or the /64 of an IPv6 one. 0, which is not
 * counted, for loopback and for Unix sockets.
 */
uint64_t weir__address_key(const weir_address *address);

/* A number that an address key is spread by; keys come from strangers, seeds do not. */
uint64_t weir__address_hash(uint64_t key, uint64_t seed);

/* Returns 0 or an errno. */
int weir__addresses_init(struct weir__addresses *addresses);

/* Frees the table; nothing needs to be given back before. */
void weir__addresses_free(struct weir__addresses *addresses);

/* Counts one more connection. 0; -1 with EUSERS if there are `maximum` already (negative: no maximum), or ENOMEM. Any thread. */
int weir__addresses_take(struct weir__addresses *addresses, uint64_t key, int64_t maximum);

/* Counts one less; as many as were taken. Any thread. */
void weir__addresses_give(struct weir__addresses *addresses, uint64_t key);

#endif
