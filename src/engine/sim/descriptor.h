/* The table of descriptors, as the world uses it, and what it needs of the backend. */
#ifndef WEIR_ENGINE_SIM_DESCRIPTOR_H
#define WEIR_ENGINE_SIM_DESCRIPTOR_H

#include "engine/sim/sim.h"

int weir__sim_descriptors_begin(struct weir__sim *sim);
void weir__sim_descriptors_end(struct weir__sim *sim);

/* Fails the run where a host's descriptors are open; closes what is open after a failure. */
void weir__sim_check_descriptors(struct weir__sim *sim);
void weir__sim_close_rest(struct weir__sim *sim);

/* backend.c: the object is closed, or replaced by another one under the same descriptor. */
void weir__sim_watches_end(struct weir__sim_object *object);
void weir__sim_watches_move(struct weir__sim_object *from, struct weir__sim_object *to);

#endif
