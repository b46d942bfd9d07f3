/* What SOCKS and HTTP proxies have in common: a question and an answer, and what went wrong. */
#ifndef WEIR_NET_VIA_PROXY_H
#define WEIR_NET_VIA_PROXY_H

#include "net/via.h"

/* Begins and ends talking to the proxy: what is said is not counted, and the deadline is not the user's. */
void weir__proxy_begin(weir_conn *conn, int64_t deadline);
void weir__proxy_end(weir_conn *conn);

/* The host that the proxy is to connect to: where the endpoint names none, its own loopback. */
const char *weir__proxy_host(const weir_endpoint *to);

/* Whether a proxy can be asked for that endpoint at all. 0, or -1 with a usage error. */
int weir__proxy_check(const struct weir__via *proxy, const weir_endpoint *to);

/* The error of a proxy that says no; the reason follows its URL, which has no password. Returns -1. */
int weir__proxy_fail(const struct weir__via *proxy, const weir_endpoint *to, int number, const char *format, ...)
    WEIR_PRINTF(4, 5);

/* Sends all of a question; receives exactly so much of the answer. 0, or -1 with an error that names the proxy. */
int weir__proxy_send(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, const void *data,
                     size_t size);
int weir__proxy_receive(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, void *data,
                        size_t size);

/* What the last call on the connection failed with, as the proxy's failure. Returns -1. */
int weir__proxy_failed(const struct weir__via *proxy, const weir_endpoint *to);

#endif
