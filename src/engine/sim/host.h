/* Hosts, as the world and the backend use them. */
#ifndef WEIR_ENGINE_SIM_HOST_H
#define WEIR_ENGINE_SIM_HOST_H

#include "engine/sim/sim.h"

struct weir_fiber;

/* backend.host: what a fiber that is spawned now belongs to. */
void *weir__sim_host_of_spawned(weir_loop *loop);

/* The name of a fiber's host, "-" for none. */
const char *weir__sim_name_of(const struct weir_fiber *fiber);

/* Starts what the scenario has set up, and draws when services are killed. */
void weir__sim_hosts_start(struct weir__sim *sim);

void weir__sim_hosts_free(struct weir__sim *sim);

#endif
