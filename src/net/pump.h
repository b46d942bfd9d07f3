/*
 * A pump: what moves bytes from one end to another, a step at a time, so that one fiber or thread can work several.
 *
 * It goes by the shortest way there is: sendfile(2) from a regular file, splice(2) between a stream and a pipe, and between
 * two streams through a pipe of its own; and through a buffer where the kernel knows no other way. Between streams it
 * begins with a buffer, lent and given back while nothing comes; a pipe is made once much comes, and closed soon after it
 * has stopped. So a pump that waits holds nothing but itself.
 */
#ifndef WEIR_NET_PUMP_H
#define WEIR_NET_PUMP_H

#include "net/ends.h"

enum weir__pump_way { WEIR__PUMP_BUFFER, WEIR__PUMP_SPLICE, WEIR__PUMP_SENDFILE, WEIR__PUMP_PIPE };

/* Waiting for large pieces; see pump_gather.c. */
struct weir__gathering {
    bool on;
    uint8_t doubts;  /* how often it was in vain */
    unsigned floods; /* one after the other */
    unsigned pieces; /* gathered, since it is on */
    int64_t until;   /* when this wait is in vain; 0: none has begun */
    int64_t began;   /* of `bytes`, that came since */
    uint64_t bytes;
};

struct weir__pump {
    struct weir__end from, to; /* both entered */
    uint64_t most, done;       /* bytes: how many are to go, and how many went */
    enum weir__pump_way way;
    bool restart;       /* time-outs begin again with each transfer */
    bool flooded;       /* so much comes that a pipe is worth it */
    bool held;          /* there is something in the buffer: a datagram may have no bytes */
    bool lent;          /* the buffer is the loop's */
    bool ended;         /* the source has */
    uint8_t undecided;  /* how often neither end was said to be the one that is to be waited for */
    int pipe[2];        /* open once pipe[1] is not 0 */
    size_t piped;       /* bytes in it */
    int64_t pipe_until; /* when a pipe is closed that nothing came through; 0: something did */
    char *buffer;       /* NULL: none */
    size_t size, start, end;
    struct weir__gathering gathering;
};

enum weir__pumped {
    WEIR__PUMP_FAILED = -1, /* with an error */
    WEIR__PUMP_BLOCKED,     /* one of the ends is: wait for it */
    WEIR__PUMP_MOVED,
    WEIR__PUMP_DONE, /* the end of the source, or `most` */
};

/* Sets up a pump, zero but for its ends and `most`: which way it goes. */
void weir__pump_init(struct weir__pump *pump);

/* Whether it holds what was read of a file, and not yet sent. */
static inline bool weir__pump_owes_file(const struct weir__pump *pump)
{
    return pump->held && pump->from.file;
}

/* Moves something: at most one system call or two that take it on. */
enum weir__pumped weir__pump_step(struct weir__pump *pump);

/* Gives back what it holds. Bytes that were received and not sent are put back to be received again, where that can be. */
void weir__pump_end(struct weir__pump *pump);

/* --- pump_gather.c: large pieces --- */

/* So many bytes came. */
void weir__pump_gather(struct weir__pump *pump, size_t bytes);
/* Before a wait: when it is long enough, WEIR_FOREVER if it is any wait. */
int64_t weir__pump_gather_until(struct weir__pump *pump);
/* From now on anything that comes is news. Keeps errno. */
void weir__pump_gather_end(struct weir__pump *pump);

/* --- pump_pipe.c: through a pipe of its own --- */

/* At most this much a call. */
enum { WEIR__PUMP_CHUNK = 1 << 20 };

/* Whether there is a pipe; makes it where it is missing. False: none to be had, which is no error. */
bool weir__pump_pipe(struct weir__pump *pump);
void weir__pump_close_pipe(struct weir__pump *pump);

/* To be called before each wait: does what is to be done when nothing comes. Returns when to look again, or WEIR_FOREVER. */
int64_t weir__pump_settle(struct weir__pump *pump);

/* One splice(2) without SIGPIPE. */
ssize_t weir__pump_splice(int from, int to, size_t count);

#endif
