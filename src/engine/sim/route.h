/* What route.c and name.c share. */
#ifndef WEIR_ENGINE_SIM_ROUTE_H
#define WEIR_ENGINE_SIM_ROUTE_H

#include "engine/sim/sim.h"

enum { WEIR__SIM_PARTITIONS = 8 };

/* A time in which some hosts are cut off from the others. */
struct weir__sim_partition {
    int64_t begin, end;
    uint64_t salt; /* which hosts */
    unsigned one_in;
    bool counted;
};

struct weir__sim_latency {
    unsigned low, high; /* the hosts' numbers */
    int64_t latency;
};

struct weir__sim_names {
    struct weir__list names; /* name.c's */
    struct weir__sim_latency *latencies;
    size_t latency_count;
    struct weir__sim_partition partitions[WEIR__SIM_PARTITIONS];
    size_t partition_count;
};

struct weir__sim_names *weir__sim_names(struct weir__sim *sim);
void weir__sim_names_free(struct weir__sim_names *names);

#endif
