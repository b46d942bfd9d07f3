/* Relays: mounts that are fetched from other servers while somebody listens. */
#ifndef STREAM_RELAY_H
#define STREAM_RELAY_H

#include "stream.h"

struct relays;

/*
 * Reads "URL=/MOUNT"s and makes their mounts. Nothing is connected to. NULL with an error of kind USAGE that names
 * one.
 */
struct relays *relays_new(struct stream *stream, const weir_option_list *list);
void relays_free(struct relays *relays); /* when their workers have ended */

/* Whether a path is a relay's mount. */
bool relay_has(const struct relays *relays, const char *path);

/* Answers a GET or HEAD of a relay's mount, which is connected where it is not yet. False: the path is none. Parks. */
bool relay_listen(struct relays *relays, const char *path, struct http_exchange *exchange);

#endif
