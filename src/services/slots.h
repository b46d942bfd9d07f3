/*
 * How many of something run at once: who is one too many waits for another's end, and is refused where too many wait.
 */
#ifndef SERVICES_SLOTS_H
#define SERVICES_SLOTS_H

#include <stdint.h>

struct slots;

/* What the log says of them; the strings outlive the slots. */
struct slots_words {
    const char *service;
    const char *running;        /* "programs run, as many as may (--max-programs)"; NULL: that one waits is no news */
    const char *waiting;        /* "clients" */
    const char *waiting_option; /* "--max-waiting" */
};

/*
 * For `most` at once (negative: any number) and `waiting` clients beside them. NULL with ENOMEM. NULL is fine to
 * free.
 */
struct slots *slots_new(const struct slots_words *words, int64_t most, int64_t waiting);
void slots_free(struct slots *slots);

/*
 * Takes a slot for a client, which slots_give gives back. Parks until there is one, or `deadline`. Logs, rarely, that
 * clients wait. 0; or -1 with EAGAIN of kind LIMIT (too many wait already), ETIMEDOUT, ECANCELED, ENOMEM.
 */
int slots_take(struct slots *slots, const char *client, int64_t deadline);
void slots_give(struct slots *slots);

#endif
