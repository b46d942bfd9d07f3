/* How many programs run at once: who is one too many waits for another's end, and is refused where too many wait. */
#ifndef SERVICES_EXEC_SLOTS_H
#define SERVICES_EXEC_SLOTS_H

#include <stdint.h>

struct exec_slots;

/* For `most` programs at once (negative: any number) and `waiting` clients beside them. NULL with ENOMEM. NULL is fine to free. */
struct exec_slots *exec_slots_new(int64_t most, int64_t waiting);
void exec_slots_free(struct exec_slots *slots);

/*
 * Takes a slot for a client's program, which exec_slots_give gives back. Parks until there is one, or `deadline`. Logs, rarely,
 * that clients wait. 0; or -1 with EAGAIN of kind LIMIT (too many wait already), ETIMEDOUT, ECANCELED, ENOMEM.
 */
int exec_slots_take(struct exec_slots *slots, const char *client, int64_t deadline);
void exec_slots_give(struct exec_slots *slots);

#endif
