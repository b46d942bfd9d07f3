/* A lock that processes share; see shared_lock.h. */
#include "shared_lock.h"

#include <errno.h>

int shared_lock_make(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int result = pthread_mutexattr_init(&attributes);
    if (result)
        return result;
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    result = pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return result;
}

bool shared_lock_try(pthread_mutex_t *lock)
{
    int result = pthread_mutex_trylock(lock);
    if (result == EOWNERDEAD)
        result = pthread_mutex_consistent(lock);
    return result == 0;
}
