/* The heap of events, as the world and the backend use it. */
#ifndef WEIR_ENGINE_SIM_EVENT_H
#define WEIR_ENGINE_SIM_EVENT_H

#include "engine/sim/sim.h"

int weir__sim_events_begin(struct weir__sim *sim);
void weir__sim_events_end(struct weir__sim *sim);

/* When the next event comes; WEIR_FOREVER: none. */
int64_t weir__sim_next_event(struct weir__sim *sim);

/* Runs what is due by now, and what that makes due. */
void weir__sim_run_events(struct weir__sim *sim);

/* The same without a loop that waits: moves the clock to the next event. Whether there was one. */
bool weir__sim_pass(struct weir__sim *sim);

#endif
