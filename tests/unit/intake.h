/* A mount that an intake writes to, for its tests and its fuzz target: what was written is kept. */
#ifndef UNIT_INTAKE_H
#define UNIT_INTAKE_H

#include <stdlib.h>
#include <string.h>

#include "services/stream/intake.h"

struct mount_source {
    uint8_t *bytes;
    size_t size;
    uint8_t *header; /* the last that was set */
    size_t header_size, headers;
    size_t writes, starts;
    size_t start_at; /* where the last write that is a start begins */
    bool refuses;
};

static inline uint8_t *joined(uint8_t *bytes, size_t size, const void *more, size_t length)
{
    bytes = realloc(bytes, size + length + 1);
    if (!bytes)
        abort();
    memcpy(bytes + size, more, length);
    return bytes;
}

int mount_write(struct mount_source *source, const void *data, size_t size, bool start)
{
    if (source->refuses)
        return weir_fail(WEIR_ERROR_CANCELLED, 125 /* ECANCELED */, "stream", "", NULL);
    if (start)
        source->start_at = source->size;
    source->bytes = joined(source->bytes, source->size, data, size);
    source->size += size;
    source->starts += start;
    source->writes++;
    return 0;
}

int mount_set_header(struct mount_source *source, const void *data, size_t size)
{
    free(source->header);
    source->header = joined(NULL, 0, data, size);
    source->header_size = size;
    source->headers++;
    return 0;
}

/* Feeds all of it in pieces of so many bytes, and its end. What intake_feed or intake_end returned. */
static inline int feed_all(struct intake *intake, const uint8_t *bytes, size_t size, size_t piece)
{
    int result = 0;
    for (size_t at = 0; at < size && result == 0; at += piece)
        result = intake_feed(intake, bytes + at, size - at < piece ? size - at : piece);
    return result == 0 ? intake_end(intake) : result;
}

static inline void forget(struct mount_source *source)
{
    free(source->bytes);
    free(source->header);
    *source = (struct mount_source){0};
}

#endif
