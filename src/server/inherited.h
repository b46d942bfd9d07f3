/* Sockets that systemd opened for this process: LISTEN_FDS and LISTEN_PID, see sd_listen_fds(3). */
#ifndef WEIR_SERVER_INHERITED_H
#define WEIR_SERVER_INHERITED_H

#include "net/listen.h"

/*
 * Takes those that are what an endpoint stands for; each can be taken once. Returns how many, 0 where there is none.
 * They are made non-blocking and close-on-exec. Their files stay systemd's.
 */
int weir__inherited_take(const weir_endpoint *endpoint, struct weir__listen_socket *sockets, size_t most);

#endif
