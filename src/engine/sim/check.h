/* What the backend asks to be checked. */
#ifndef WEIR_ENGINE_SIM_CHECK_H
#define WEIR_ENGINE_SIM_CHECK_H

#include "engine/sim/sim.h"

/* Fails the run for the fibers that will never go on. */
void weir__sim_check_stuck(struct weir__sim *sim, weir_loop *loop);

#endif
