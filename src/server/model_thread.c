/*
 * A thread per client. Threads are joined by one another: each that ends joins the one that ended before it, and the keeper the
 * last, so that none outlives the server and nobody has to wait for them meanwhile.
 */
#include <errno.h>
#include <limits.h>

#include "server/client.h"

/* AddressSanitizer's frames and the C library's own needs are larger than a fiber's. */
enum { SMALLEST_STACK = 256 * 1024, LARGEST_STACK = 64 * 1024 * 1024 };

static void *client_thread(void *arg)
{
    struct weir__client *client = arg;
    struct weir__worker *worker = client->worker;
    weir__system_here = worker->server->system;
    weir__server_enter(worker->server);
    weir__client_thread_begins(client);
    weir__client_serve(client);
    return NULL;
}

static int create(struct weir__client *client, size_t stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, stack);
    error = pthread_create(&thread, &attributes, client_thread, client);
    pthread_attr_destroy(&attributes);
    return error;
}

/*
 * A thread's stack holds all that is thread-local in the program as well: with too little room for that pthread_create says
 * EINVAL, and how much it is nothing tells.
 */
int weir__client_thread(struct weir__client *client)
{
    size_t stack = client->worker->server->options.stack_size;
    if (stack < SMALLEST_STACK)
        stack = SMALLEST_STACK;
    int error;
    while ((error = create(client, stack)) == EINVAL && stack < LARGEST_STACK)
        stack *= 2;
    errno = error;
    return error ? -1 : 0;
}

void weir__client_threads_join(struct weir__worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    bool any = worker->has_ended_thread;
    pthread_t last = worker->ended_thread;
    worker->has_ended_thread = false;
    pthread_mutex_unlock(&worker->lock);
    if (any)
        pthread_join(last, NULL);
}
