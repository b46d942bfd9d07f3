/* Hosts, as the world and the backend use them. */
#ifndef WEIR_ENGINE_SIM_HOST_H
#define WEIR_ENGINE_SIM_HOST_H

#include "engine/sim/sim.h"

struct weir_fiber;

struct weir__sim_program {
    struct weir__list link;
    struct weir_sim_host *host;
    const char *name;
    int (*function)(void *arg);
    void *arg;
    bool service, running, told, awaited; /* awaited: it will be started again */
    const struct weir_fiber *fiber;       /* while it runs */
    weir__slot stop;                      /* weir_sim_wait_stop's */
};

void weir__sim_for_programs(struct weir_sim_host *host, void (*function)(struct weir__sim_program *program));

/* Starts a service again after a while, unless it is not wanted any more by then. */
void weir__sim_start_later(struct weir__sim_program *program);

/* kill.c: when a host of services will be killed. */
void weir__sim_draw_kills(struct weir__sim *sim, struct weir_sim_host *host);

/* backend.host: what a fiber that is spawned now belongs to. */
void *weir__sim_host_of_spawned(weir_loop *loop);

/* The name of a fiber's host, "-" for none. */
const char *weir__sim_name_of(const struct weir_fiber *fiber);

/* Starts what the scenario has set up, and draws when services are killed. */
void weir__sim_hosts_start(struct weir__sim *sim);

void weir__sim_hosts_free(struct weir__sim *sim);

#endif
