/* weir listen --all: everybody at once, whole lines of each to stdout, stdin to all of them. */
#ifndef CLI_LISTEN_ALL_H
#define CLI_LISTEN_ALL_H

#include "listening.h"

/* What makes no sense with it. 0, or -1 with a usage error. */
int listen_all_check(const struct listening *listening);

/* Serves until a signal. Returns the exit status, having told errors and the summary. */
int listen_all(struct listening *listening);

#endif
