/* What the process was before this library changed anything: what its children are given back. */
#ifndef WEIR_OS_ORIGINAL_H
#define WEIR_OS_ORIGINAL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

struct weir__original {
    sigset_t mask;       /* the signals that the first thread blocked */
    struct rlimit files; /* RLIMIT_NOFILE */
    bool open[3];        /* whether descriptors 0 to 2 were */
};

/*
 * Notes it, once: by itself before main begins, so that even a program that changes its mask before it first calls the
 * library is noted as it was started. Whoever changes one of them calls it before, for the same to hold without constructors.
 */
void weir__original_note(void);

const struct weir__original *weir__original(void);

#endif
