/* Stopping a worker: what is queued is served, clients finish, at the deadline the rest is cut. */
#ifndef WEIR_SERVER_DRAIN_H
#define WEIR_SERVER_DRAIN_H

#include "server/server.h"

/* Returns when nothing of the worker's is left. In its keeper; parks. */
void weir__drain(struct weir__worker *worker);

#endif
