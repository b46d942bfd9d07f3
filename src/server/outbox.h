/* Answers of a batch of datagrams, kept until they leave together. */
#ifndef WEIR_SERVER_OUTBOX_H
#define WEIR_SERVER_OUTBOX_H

#include <weir/endpoint.h>

#include "base/system.h"
#include "server/counters.h"
#include "server/destination.h"

enum { WEIR__ANSWERS = 64, WEIR__ANSWER_BYTES = 256 * 1024 };

struct weir__outbox {
    int fd;
    struct weir__counters *counters;
    unsigned count;
    size_t used;
    char *bytes; /* WEIR__ANSWER_BYTES of them */
    struct iovec vectors[WEIR__ANSWERS];
    struct mmsghdr messages[WEIR__ANSWERS];
};

/* 0, or -1 without memory. */
int weir__outbox_init(struct weir__outbox *outbox, int fd, struct weir__counters *counters);
void weir__outbox_free(struct weir__outbox *outbox);

/*
 * Keeps a copy of an answer; sends those there are first if there is no room. `from` is NULL where the socket has one
 * address; it and `to` must stay until it is flushed. 0, or -1 with EMSGSIZE.
 */
int weir__outbox_put(struct weir__outbox *outbox, const struct weir__destination *from, const weir_address *to,
                     const void *data, size_t length);

/* Sends what there is, as far as the socket takes it; what it does not is counted as failed. Does not park. */
void weir__outbox_flush(struct weir__outbox *outbox);

#endif
