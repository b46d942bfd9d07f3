/* The backend's parts: when things are told, and accepting. */
#ifndef WEIR_ENGINE_SIM_BACKEND_H
#define WEIR_ENGINE_SIM_BACKEND_H

#include "engine/sim/sim.h"

/* When a change is told: soon, or late as a fault. */
int64_t weir__sim_moment(void);

/* backend.accept and backend.accept_stop. */
int weir__sim_accept(weir_loop *loop, struct weir__acceptor *acceptor);
void weir__sim_accept_stop(weir_loop *loop, struct weir__acceptor *acceptor);

/* There is somebody to accept. */
void weir__sim_tell_acceptor(struct weir__sim_acceptor *one);

/* The listener is replaced by another object, or closed (NULL). */
void weir__sim_acceptor_move(struct weir__sim_object *from, struct weir__sim_object *to);

#endif
