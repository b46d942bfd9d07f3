/* What TLS needs in the simulator beside the network: chance and time of the run's own, and a certificate. */
#ifndef WEIR_TESTS_SIM_TLS_WORLD_H
#define WEIR_TESTS_SIM_TLS_WORLD_H

/*
 * From now on OpenSSL's random numbers are the run's, and time(2) is its clock: so all that goes over the wire is the
 * same for the same seed. The path of a certificate, its key behind it, that is for the host "server".
 */
const char *tls_world(void);

/* Has OpenSSL make what it makes once and keeps. */
void tls_warm(const char *certificate);

#endif
