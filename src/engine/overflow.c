/*
 * Faults of handlers. One in a fiber's guard, which is a stack that overflowed, ends the process with a line that names the
 * fiber; so does every other one that nobody handled before. The rest goes to whoever did. Only on request: the process is
 * the program's.
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

/* What ends a process because of what it did itself. */
static struct fault {
    int signal;
    const char *name;
    struct sigaction previous;
} faults[] = {
    {.signal = SIGSEGV, .name = "SIGSEGV"}, {.signal = SIGBUS, .name = "SIGBUS"},
    {.signal = SIGFPE, .name = "SIGFPE"},   {.signal = SIGILL, .name = "SIGILL"},
    {.signal = SIGABRT, .name = "SIGABRT"},
};
enum { FAULTS = sizeof faults / sizeof *faults };

/* Async-signal-safe: a fixed buffer and write(2). */
static void tell(const struct weir_fiber *fiber, const char *fault, bool overflow)
{
    char line[256];
    struct weir__text text = weir__text(line, sizeof line);
    weir__text_put(&text, "weir: error: ");
    weir__text_put(&text, overflow ? "stack overflow" : fault);
    weir__text_put(&text, " in the handler of fiber \"");
    weir__text_put(&text, fiber->name);
    weir__text_put(&text, "\"");
    if (overflow) {
        weir__text_put(&text, " (");
        weir__text_put_number(&text, fiber->stack.size - WEIR__STACK_GUARD);
        weir__text_put(&text, " bytes; stack_size sets more)");
    }
    weir__text_put(&text, "\n");
    if (write(STDERR_FILENO, text.data, text.length) < 0)
        return;
}

static struct fault *find(int signal)
{
    struct fault *fault = faults;
    while (fault->signal != signal)
        fault++;
    return fault;
}

/* The running fiber's doing, and not somebody's who sent a signal: abort(3) sends one to its own thread. */
static bool is_its_own(const siginfo_t *info)
{
    return info->si_code > 0 || (info->si_signo == SIGABRT && info->si_code == SI_TKILL && info->si_pid == getpid());
}

static bool handled_before(const struct fault *fault)
{
    return (fault->previous.sa_flags & SA_SIGINFO) || fault->previous.sa_handler != SIG_DFL;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    const struct fault *fault = find(signal);
    weir_loop *loop = weir__loop_here;
    struct weir_fiber *fiber = loop ? loop->running : NULL;
    if (fiber && is_its_own(info)) {
        bool overflow = signal == SIGSEGV && weir__stack_in_guard(&fiber->stack, info->si_addr);
        if (overflow || !handled_before(fault))
            tell(fiber, fault->name, overflow);
    }
    /* The instruction faults again, now under the handler that was there before: a core dump, or the program's own. */
    sigaction(signal, &fault->previous, NULL);
    /* What was sent (kill(2), abort(3)) comes no second time by itself. */
    if (info->si_code <= 0)
        raise(signal);
}

static atomic_bool installed;

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < FAULTS; i++)
        sigaction(faults[i].signal, &action, &faults[i].previous);
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
