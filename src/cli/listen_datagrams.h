/* weir listen on udp and Unix datagram sockets: what anybody sends to stdout, stdin to whoever was heard last. */
#ifndef CLI_LISTEN_DATAGRAMS_H
#define CLI_LISTEN_DATAGRAMS_H

#include "listening.h"

/* What makes no sense with datagrams. 0, or -1 with a usage error. */
int listen_datagrams_check(const struct listening *listening);

/* Serves until a signal, --timeout, or until nobody reads stdout. Returns the exit status, having told errors and the summary. */
int listen_datagrams(struct listening *listening);

#endif
