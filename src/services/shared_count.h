/*
 * How many of something there are, together in all processes of a family (--processes). Each process counts in a part of its own,
 * so that what one that was killed had counted is gone with it.
 */
#ifndef SERVICES_SHARED_COUNT_H
#define SERVICES_SHARED_COUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct shared_count;

/* To be made before the processes are. NULL with ENOMEM. NULL is fine to free. */
struct shared_count *shared_count_new(void);
void shared_count_free(struct shared_count *count);

/* Adds to this process' part, or takes from it. Any thread. */
void shared_count_add(struct shared_count *count, int64_t change);

/* Of all processes that live; at any moment it may be another. */
int64_t shared_count_sum(struct shared_count *count);

/* Whether a process of the family has ended, and its parent has heard of it. */
bool process_is_gone(pid_t process);

#endif
