/* The counters of a server: where they are kept, and their sums. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "server/server.h"

int weir__counters_make(weir_server *server, size_t count)
{
    size_t size = count * sizeof *server->counters;
    struct weir__counters *counters = aligned_alloc(_Alignof(struct weir__counters), size);
    if (!counters)
        return -1;
    memset(counters, 0, size);
    pthread_mutex_lock(&server->lock);
    server->counters = counters;
    server->counter_count = count;
    pthread_mutex_unlock(&server->lock);
    return 0;
}

void weir__counters_free(weir_server *server)
{
    if (server->mapping)
        munmap(server->mapping, server->mapping_size);
    else
        free(server->counters);
    server->counters = NULL;
    server->counter_count = 0;
}

void weir_server_counters(const weir_server *server, weir_counters *counters)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&server->lock;
    pthread_mutex_lock(lock);
    weir__counters_sum(server->counters, server->counter_count, counters);
    counters->datagrams_dropped += weir__places_dropped(server);
    pthread_mutex_unlock(lock);
}
