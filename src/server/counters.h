/* A server's counters: each worker adds to its own, on cache lines of their own; whoever asks sums them. */
#ifndef WEIR_SERVER_COUNTERS_H
#define WEIR_SERVER_COUNTERS_H

#include <stdatomic.h>
#include <weir/server.h>

enum { WEIR__COUNTERS = sizeof(weir_counters) / sizeof(uint64_t) };

/* One worker's, as an array in the order of weir_counters; it may lie in memory that processes share. */
struct weir__counters {
    _Alignas(64) _Atomic uint64_t each[WEIR__COUNTERS];
};

/* Where one of them is, by its name in weir_counters. */
#define weir__counter(counters, name) (&(counters)->each[offsetof(weir_counters, name) / sizeof(uint64_t)])

/* Adds to it. Any thread, whoever's counters they are. */
#define weir__count(counters, name, number)                                                                            \
    atomic_fetch_add_explicit(weir__counter(counters, name), (uint64_t)(number), memory_order_relaxed)

/* The sum of `count` workers' counters. */
void weir__counters_sum(const struct weir__counters *counters, size_t count, weir_counters *sum);

/* What a worker that died can no longer take back: it has no active connections. */
void weir__counters_died(struct weir__counters *counters);

#endif
