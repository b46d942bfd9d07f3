/*
 * Whom the datagram echo has answered, so that each source is told once and then at most once a minute, with its count.
 * The memory is fixed, whatever is sent: a source that is pushed out of its place by another counts as new when it comes
 * again, and at most a few lines a second are written.
 */
#ifndef SERVICES_ECHO_SOURCES_H
#define SERVICES_ECHO_SOURCES_H

#include <weir/endpoint.h>

struct echo_sources;

/* The caller's, by echo_sources_free. NULL with ENOMEM. */
struct echo_sources *echo_sources_new(void);
void echo_sources_free(struct echo_sources *sources);

/* To be called for every datagram that is answered, from any thread: counts it, and logs it when its source is due. */
void echo_sources_answered(struct echo_sources *sources, const weir_address *source);

#endif
