/* What a source says of itself, in the head of its request, or of the response of a relayed one. */
#ifndef STREAM_DESCRIBE_H
#define STREAM_DESCRIBE_H

#include "../../http/head.h"
#include "mount.h"

/* With the room for its texts: it is not to be moved. */
struct description {
    struct mount_description mount;
    char name[256], genre[256], description[512], url[256];
};

/* Reads ice-name or icy-name and the like. `type` must live as long. */
void describe_head(const struct http_head *head, const char *type, struct description *description);

#endif
