/* A lock in memory that processes share (--processes). Whoever is killed within gives it back: see shared_lock_try. */
#ifndef SERVICES_SHARED_LOCK_H
#define SERVICES_SHARED_LOCK_H

#include <pthread.h>
#include <stdbool.h>

/*
 * Makes one, in mapped memory, before the processes are. It is never destroyed: other processes may yet use it, and it
 * holds nothing but that memory. 0 or an errno.
 */
int shared_lock_make(pthread_mutex_t *lock);

/*
 * Takes it if nobody has it; pthread_mutex_unlock gives it back. A fiber must not block its loop: it tries again. After
 * a holder was killed what the lock guards must be right as it stands.
 */
bool shared_lock_try(pthread_mutex_t *lock);

#endif
