/*
 * What comes from a source, live or relayed, cut into what a mount takes: whole frames of MP3 and of AAC (ADTS),
 * whole pages of Ogg. What is between them is dropped and counted.
 */
#ifndef STREAM_INTAKE_H
#define STREAM_INTAKE_H

#include "mount.h"

struct intake;

/* Whether a Content-Type is one that can be taken in; the name that its mount has for it, NULL: it is none. */
const char *intake_type(const char *content_type);

/* For a source of a type that intake_type gave. The source stays the caller's. NULL with ENOMEM. */
struct intake *intake_new(const char *type, struct mount_source *source);
void intake_free(struct intake *intake);

/* Takes some. 0; -1 with ECANCELED or ENOMEM of mount_write, or EPROTO: it is not of its type. Does not park. */
int intake_feed(struct intake *intake, const void *data, size_t size);

/* No more comes: what is whole is written. As above. */
int intake_end(struct intake *intake);

/* Whether any frame or page was found so far. */
bool intake_known(const struct intake *intake);

/* Bytes that were no part of any frame or page; of tags and headers that are not passed on too. */
uint64_t intake_dropped(const struct intake *intake);

#endif
