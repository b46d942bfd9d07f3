/* A program full of fibers in every state, for check_gdb.py: all wait in everybody_waits, where it aborts if it has arguments. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/weir.h>

static weir_channel *channel;
static atomic_bool elsewhere_waits;
static bool aborts;

int everybody_waits(int count);

/* Where the debugger stops. */
__attribute__((noinline)) int everybody_waits(int count)
{
    if (aborts)
        abort();
    __asm__ volatile("" ::: "memory");
    return count + 1;
}

__attribute__((noinline)) static int deeper(int depth)
{
    int item = 0;
    if (depth > 0)
        return deeper(depth - 1) + 1;
    return weir_channel_receive(channel, &item, WEIR_FOREVER);
}

static int receives(void *arg)
{
    int depth = *(int *)arg;
    return deeper(depth);
}

static int sleeps(void *arg)
{
    (void)arg;
    return weir_sleep(WEIR_FOREVER);
}

static int begins_never(void *arg)
{
    (void)arg;
    return 0;
}

static int sleeps_elsewhere(void *arg)
{
    elsewhere_waits = true;
    return sleeps(arg);
}

static weir_fiber *spawned(weir_fiber_function *function, void *arg, const char *name)
{
    return weir_spawn(function, arg, WEIR_OPTIONS(weir_fiber_options, .name = name));
}

static void *other_thread(void *arg)
{
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .stack_size = 32768));
    if (loop && spawned(sleeps_elsewhere, arg, "elsewhere"))
        weir_loop_run(loop);
    return NULL;
}

static int commands(void *arg)
{
    int depth = 3;
    (void)arg;
    spawned(receives, &depth, "receiver");
    spawned(sleeps, NULL, "sleeper");
    weir_yield();
    while (!elsewhere_waits)
        weir_sleep(WEIR_MS(1));
    weir_sleep(WEIR_MS(50));
    spawned(begins_never, NULL, "newcomer");
    return everybody_waits(4);
}

int main(int count, char **words)
{
    pthread_t thread;
    (void)words;
    aborts = count > 1;
    channel = weir_channel_new(sizeof(int), 0);
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .stack_size = 32768));
    if (!channel || !loop || pthread_create(&thread, NULL, other_thread, NULL) != 0)
        return 1;
    if (!spawned(commands, NULL, "commander"))
        return 1;
    weir_loop_run(loop);
    return 0;
}
