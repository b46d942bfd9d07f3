/* TLS at the shell: the options of those who connect, and whether what was asked for has an effect. */
#ifndef CLI_SECURING_H
#define CLI_SECURING_H

#include "commands.h"

/* --ca --cert --key --insecure, over weir_tls_options: of whoever connects. */
extern const weir_option client_tls_options[];

/*
 * Whether options that were given for an endpoint have an effect: they are of tls:// alone. `prefix` is what stands
 * before their names, "" or "to-". 0, or -1 with a usage error.
 */
int tls_check(const weir_tls_options *tls, const weir_endpoint *endpoint, const char *command, const char *prefix);

/* The same of a server's, for as many of its endpoints as it has: one of them must be tls://. */
int tls_check_server(const weir_tls_options *tls, const weir_server *server, const char *command);

#endif
