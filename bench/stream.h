/*
 * One connection of the load: sends numbered messages, checks that each comes back byte for byte (or a question, that its
 * answer comes), and keeps as many under way as the depth allows.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "load.h"

struct stream {
    int fd;
    bool wants_room;                 /* the socket refused bytes; epoll waits for room */
    uint64_t first;                  /* number of the connection's first message */
    uint64_t allowed;                /* messages it may have begun to send */
    uint64_t sent, echoed;           /* messages gone and come back whole */
    size_t sent_bytes, echoed_bytes; /* of the one under way each */
    int64_t *started;                /* when each message under way was begun, by number modulo depth */
};

enum stream_state { STREAM_OPEN, STREAM_BROKEN };

/* Connects stream number index and has epoll watch it. */
void stream_open(struct stream *s, int epoll, unsigned index);

/* Sends what is allowed, as far as the socket takes it. */
enum stream_state stream_send(struct stream *s, int epoll);

/* Reads once and checks it; each whole message is counted and allows another up to the limit. */
enum stream_state stream_receive(struct stream *s, uint64_t limit);

void stream_close(struct stream *s);

#endif
