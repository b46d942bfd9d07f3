/* What the two parts of a merger share: senders and their lines (merger.c), the output and its turns (merger_output.c). */
#ifndef SERVICES_PRINT_MERGER_INSIDE_H
#define SERVICES_PRINT_MERGER_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "merger.h"
#include "shown.h"

enum { MERGER_BUFFER = 32768 };

/* What the processes of `--processes` have in common, who write to the same output, but not in turns. */
struct merger_shared {
    _Atomic uint64_t last_name; /* that a sender was given */
    _Atomic size_t senders;     /* of streams */
    _Atomic uint64_t open;      /* whose unfinished line ends the output; 0: nobody's */
};

struct merger {
    struct merger_options options;
    struct merger_shared *shared; /* mapped */
    weir_channel *turn;           /* its one item is the turn: whoever has it may write */
    atomic_bool over;             /* the output has failed for good */
    _Atomic uint64_t lost;

    pthread_mutex_t lock;
    struct left *first_left, **end_of_left; /* under the lock */

    /* In turn: */
    int64_t deadline;
    char buffer[MERGER_BUFFER + 2 * SHOWN_ROOM]; /* text on its way out, and an end */
};

struct sender {
    struct merger *merger;
    uint64_t name;
    struct shown shown;
    char *held; /* what was received of its line and not written; allocated */
    size_t length, room;
    bool has_turn;
    bool within_line; /* its last output ended no line */
    bool ends;        /* what is written now is its last */
    bool leaves;      /* it was cut: what it still has is left behind */
    int64_t turn_ends;
    int64_t pause_ends; /* WEIR_FOREVER: its silence means nothing */
    uint64_t broken;
};

/* Writes, in turn, which it keeps if a line is left unfinished and `keep` says so. 0, or -1 with an error: the sender is to end. */
int merger_emit(struct sender *sender, const char *data, size_t size, bool keep);

void merger_give_turn(struct sender *sender);

#endif
