/*
 * What the parts of a merger share: senders and their lines (merger.c), the output and its turns (merger_output.c), and what is
 * to be done where several processes have the same output (merger_family.c).
 */
#ifndef SERVICES_PRINT_MERGER_INSIDE_H
#define SERVICES_PRINT_MERGER_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "../shared_count.h"
#include "merger.h"
#include "shown.h"

enum { MERGER_BUFFER = 32768 };

/* What the processes of `--processes` have in common, who write to the same output. */
struct merger_shared {
    _Atomic uint64_t last_name; /* that a sender was given */
    _Atomic pid_t wanted;       /* the process that has waited for long; 0: none */
    pthread_mutex_t lock;       /* of the output; whoever has the turn of its process tries to get it */

    /* Under the lock: */
    uint64_t open;      /* whose unfinished line ends the output; 0: nobody's */
    pid_t open_process; /* that sender's */
    int64_t open_until; /* other processes do not go on before */
};

struct merger {
    struct merger_options options;
    pid_t maker;                  /* the process that made it: the parent, where there are several */
    struct merger_shared *shared; /* mapped */
    struct shared_count *senders; /* of streams */
    weir_channel *turn;           /* its one item is the turn: whoever of this process has it may write */
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

/* --- among processes --- */

struct merger_shared *merger_shared_new(void);
void merger_shared_free(struct merger_shared *shared);

/*
 * In turn: waits until no other process writes, or has a line to continue. `within_line`: the caller may have one itself. Parks.
 * 0; or -1 with ECANCELED, ETIMEDOUT.
 */
int merger_lock(struct merger *merger, bool within_line);

/* If the output ends with a line of that sender's, other processes leave it alone until then. */
void merger_unlock(struct merger *merger, uint64_t name, int64_t open_until);

/* With the lock: whether the output ends with a line that another process may still continue. */
bool merger_is_anothers(const struct merger *merger);

#endif
