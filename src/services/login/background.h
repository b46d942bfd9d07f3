/* Work that is to disturb nobody: on a thread of its own, of the least priority (nice 19). */
#ifndef SERVICES_LOGIN_BACKGROUND_H
#define SERVICES_LOGIN_BACKGROUND_H

/*
 * Calls function(arg) there and waits for it: it blocks, so it is for the pool. 0 and what it returned in *result; -1
 * with EAGAIN where no thread could be started, and the function was not called.
 */
int background_run(int (*function)(void *arg), void *arg, int *result);

#endif
