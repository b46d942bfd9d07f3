/* What churn.c and the manners of its clients (manners.c) share. */
#ifndef WEIR_TESTS_CHURN_H
#define WEIR_TESTS_CHURN_H

#include <weir/weir.h>

/* A period of the bytes that are sent: a prime, so that what is shifted or repeated is seen. A piece of it has as many at most. */
enum { PATTERN = 524287 };

/* One client, from its connecting to its end. */
struct visit {
    const weir_endpoint *endpoint;
    const char *name; /* of its manner */
    weir_conn *conn;
    uint64_t start;          /* where in the pattern its bytes begin */
    uint64_t sent, received; /* so far: what comes back is what was sent */
};

/* What all have done. */
struct tally {
    uint64_t connections, resets, sent, received; /* of streams; bytes of datagrams too */
    uint64_t sockets, datagrams, answers;
    uint64_t wrong;
};
extern struct tally tally;

/* A way to behave. The connection is closed afterwards. */
struct manner {
    const char *name;
    void (*behave)(struct visit *visit);
};

/* One of those for streams, or of those for datagrams, by chance. */
const struct manner *choose_manner(bool datagrams);

/* The bytes from an offset on. */
const char *pattern(uint64_t offset);

/* A number by chance, both ends included. */
size_t between(size_t least, size_t most);

/* Counts what should not be, and tells the first few. */
void wrong(const struct visit *visit, const char *what);

#endif
