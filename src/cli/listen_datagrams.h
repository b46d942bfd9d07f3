/* weir listen on udp and Unix datagram sockets: what anybody sends to stdout, stdin to whoever was heard last. */
#ifndef CLI_LISTEN_DATAGRAMS_H
#define CLI_LISTEN_DATAGRAMS_H

#include "listening.h"

/* Serves until a signal, --timeout, or until nobody reads stdout. Returns the exit status, having told errors and the summary. */
int listen_datagrams(struct listening *listening);

#endif
