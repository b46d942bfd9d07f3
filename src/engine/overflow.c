/*
 * Stack overflow: a fault in a fiber's guard ends the process with a line that names the fiber. Every other fault goes
 * to whoever handled it before. Only on request: the process is the program's.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/loop.h"

enum { ALTERNATE_STACK = 65536 };

static struct sigaction previous;

/* Async-signal-safe: a fixed buffer and write(2). */
static void tell(const struct weir_fiber *fiber)
{
    char line[256];
    struct weir__text text = weir__text(line, sizeof line);
    weir__text_put(&text, "weir: error: stack overflow in the handler of fiber \"");
    weir__text_put(&text, fiber->name);
    weir__text_put(&text, "\" (");
    weir__text_put_number(&text, fiber->stack.size - WEIR__STACK_GUARD);
    weir__text_put(&text, " bytes; stack_size sets more)\n");
    if (write(STDERR_FILENO, text.data, text.length) < 0)
        return;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    bool sent = info->si_code <= 0;
    weir_loop *loop = weir__loop_here;
    struct weir_fiber *fiber = loop ? loop->running : NULL;
    if (fiber && !sent && weir__stack_in_guard(&fiber->stack, info->si_addr))
        tell(fiber);
    /* The instruction faults again, now under the handler that was there before: a core dump, or the program's own. */
    sigaction(signal, &previous, NULL);
    /* What somebody sent (kill(2)) comes no second time. */
    if (sent)
        raise(signal);
}

static atomic_bool installed;

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous);
    installed = true;
}

/* Each thread needs a stack for the handler, since the one that overflowed has no room. It lives as long as the thread. */
static int give_alternate_stack(void)
{
    static _Thread_local bool given;
    stack_t stack = {.ss_size = ALTERNATE_STACK};
    if (given || (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE)))
        return 0;
    stack = (stack_t){.ss_size = ALTERNATE_STACK};
    stack.ss_sp = mmap(NULL, ALTERNATE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return -1;
    given = true;
    return sigaltstack(&stack, NULL);
}

int weir__catch_overflow(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    return give_alternate_stack();
}

void weir__catch_overflow_here(void)
{
    if (installed)
        give_alternate_stack();
}
