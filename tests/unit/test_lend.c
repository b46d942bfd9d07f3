/* Lent buffers: large while there are any, small after that, home again from wherever they are returned. */
#include "engine.h"
#include "engine/engine.h"

enum { POOL = 64 };

static char *lent(size_t size)
{
    size_t given;
    char *buffer = weir__lend(&given);
    check(buffer && given == size && (uintptr_t)buffer % 64 == 0);
    memset(buffer, 0x77, given);
    return buffer;
}

static int takes_all(void *arg)
{
    char *large[POOL], *small[10];
    (void)arg;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < POOL; i++)
            large[i] = lent(WEIR__LENT_LARGE);
        for (int i = 0; i < 10; i++)
            small[i] = lent(WEIR__LENT_SMALL);
        for (int i = 0; i < 10; i++)
            weir__lend_return(small[i]);
        weir__lend_return(large[7]);
        check(lent(WEIR__LENT_LARGE) == large[7]);
        for (int i = 0; i < POOL; i++)
            weir__lend_return(large[i]);
    }
    return 0;
}

static void a_loop_lends_what_it_has(void **state)
{
    run_on(state, takes_all, NULL);
}

static void threads_have_a_pool_of_their_own(void **state)
{
    (void)state;
    takes_all(NULL);
}

static void what_was_returned_is_poisoned(void **state)
{
    (void)state;
#if WEIR__ASAN
    char *buffer = lent(WEIR__LENT_LARGE);
    weir__lend_return(buffer);
    assert_true(__asan_address_is_poisoned(buffer));
    assert_true(__asan_address_is_poisoned(buffer + WEIR__LENT_LARGE - 1));
#else
    skip();
#endif
}

static int returns_elsewhere(void *arg)
{
    char **buffers = arg;
    for (int i = 0; i < POOL; i++)
        weir__lend_return(buffers[i]);
    return 0;
}

static void what_others_return_is_lent_again(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    char *buffers[POOL];
    for (size_t round = 0; round < often(50); round++) {
        struct other plain;
        for (int i = 0; i < POOL; i++)
            buffers[i] = lent(WEIR__LENT_LARGE);
        start_thread(&plain, returns_elsewhere, buffers);
        /* Meanwhile: large ones that have come back already, small ones before that. */
        for (int i = 0; i < 20; i++) {
            size_t size;
            char *buffer = weir__lend(&size);
            check(buffer && (size == WEIR__LENT_LARGE || size == WEIR__LENT_SMALL));
            weir__lend_return(buffer);
        }
        finish_other(&plain);
    }
    weir_loop_free(loop);
}

/* The last that comes home frees the pool of a loop that is gone, whichever thread that is. */
static void buffers_outlive_their_loop(void **state)
{
    (void)backend_of(state);
    for (size_t round = 0; round < often(100); round++) {
        weir_loop *loop = loop_on(backend_of(state));
        char *buffers[POOL];
        struct other plain;
        for (int i = 0; i < POOL; i++)
            buffers[i] = lent(WEIR__LENT_LARGE);
        if (round % 2)
            start_thread(&plain, returns_elsewhere, buffers);
        weir_loop_free(loop);
        if (round % 2)
            finish_other(&plain);
        else
            returns_elsewhere(buffers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(a_loop_lends_what_it_has),       cmocka_unit_test(threads_have_a_pool_of_their_own),
        cmocka_unit_test(what_was_returned_is_poisoned), on_each_backend(what_others_return_is_lent_again),
        on_each_backend(buffers_outlive_their_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
