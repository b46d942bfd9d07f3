/*
 * Where datagrams come from, so that each source is told once and then at most once a minute, with its count. The
 * memory is fixed, whatever is sent: a source that is pushed out of its place by another counts as new when it comes
 * again, and at most a few lines a second are written.
 */
#ifndef SERVICES_SOURCES_H
#define SERVICES_SOURCES_H

#include <weir/endpoint.h>

struct sources;

/*
 * For a service that says `what` in front of a source: "Echoing data back to". The caller's, by sources_free. NULL
 * with ENOMEM.
 */
struct sources *sources_new(const char *service, const char *what);
void sources_free(struct sources *sources);

/* To be called for every datagram that matters, from any thread: counts it, and logs it when its source is due. */
void sources_note(struct sources *sources, const weir_address *source);

#endif
