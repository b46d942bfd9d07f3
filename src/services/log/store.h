/*
 * Records on their way out: each datagram becomes a line at once, and lines are written together, a moment later; also what has
 * been lost, and how much, is a record.
 *
 * However slow the output is, datagrams are taken: what there is no room for is dropped and counted. So each that was sent is
 * stored or counted as dropped, by us or the kernel.
 */
#ifndef SERVICES_LOG_STORE_H
#define SERVICES_LOG_STORE_H

#include "output.h"
#include "record.h"

struct store;

/* The caller's, by store_free. NULL with an error. May park. */
struct store *store_new(enum record_format format, const struct output_options *options);

/* Takes a datagram, in the handler of a server. Does not park. Any thread. */
void store_add(struct store *store, const weir_datagram *datagram);

/* Opens the output again. Parks. 0 or -1. */
int store_reopen(struct store *store);

/* The server has ended, but is there; the kernel has dropped so many datagrams in all. Parks. */
void store_dropped(struct store *store, uint64_t dropped);

/* After that: writes what is left, tells how much was stored and what could not be, frees. NULL is fine. */
void store_free(struct store *store);

#endif
