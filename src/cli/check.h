/*
 * weir check: what its parts share. check.c reads the command line and sees to it that every target is tried, check_try.c tries
 * one once, check_report.c tells what came of it.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "dialling.h"

/* What came of a try. */
enum check_result {
    CHECK_ANSWERS,
    CHECK_REFUSED,     /* nobody listens there */
    CHECK_SILENT,      /* nothing came in time */
    CHECK_UNREACHABLE, /* no way leads there */
    CHECK_UNKNOWN,     /* its name has no address */
    CHECK_FAILED,      /* anything else */
};

/* An endpoint, or one address of it: a row of the table. */
struct check_target {
    struct dialling
        dialling;    /* how it is reached; its endpoint is that of the address, where that is a target of its own */
    char named[400]; /* the endpoint as the command line has it, in full */
    weir_address address;     /* where it was reached last; length 0: nowhere yet */
    enum check_result result; /* the worst of its tries */
    char reason[500];         /* of the last try that failed; "" where none has */
    int64_t tries, answered;
    int64_t *times; /* of the tries that were answered, in nanoseconds; allocated */
};

struct check {
    struct dialling dialling; /* what all have in common */
    int64_t count;
    int64_t interval;
    bool all_addresses, json;
    const char *text;             /* what is sent in a datagram; NULL: nothing, in one without bytes */
    struct check_target *targets; /* allocated */
    size_t target_count;
    size_t next; /* which to begin next */
};

/* Tries a target once, and notes what came of it. Parks. */
void check_try(const struct check *check, struct check_target *target);

/* Prints all targets, as a table or a JSON object a line. Returns an exit status: 1 where some do not answer. */
int check_report(const struct check *check);

#endif
