/* The arena of stacks: guards, what is used again, and what is given back to the kernel. */
#include "engine/stack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "engine.h"

enum { PAGE = 4096, HOT = 1024, KEPT = 16384 };

/* Whether a byte can be read, found out by the kernel. */
static bool accessible(const char *at)
{
    int ends[2];
    check(pipe(ends) == 0);
    bool yes = write(ends[1], at, 1) == 1;
    check(yes || errno == EFAULT);
    close(ends[0]);
    close(ends[1]);
    return yes;
}

static size_t resident_pages(const char *from, const char *to)
{
    static unsigned char pages[4096];
    size_t count = (size_t)(to - from) / PAGE, resident = 0;
    check(count <= sizeof pages && mincore((void *)from, (size_t)(to - from), pages) == 0);
    for (size_t i = 0; i < count; i++)
        resident += pages[i] & 1;
    return resident;
}

static size_t resident(struct weir__stack stack)
{
    return resident_pages(stack.low + WEIR__STACK_GUARD, stack.low + stack.size);
}

static struct weir__stack taken(size_t size)
{
    struct weir__stack stack;
    check(weir__stack_take(&stack, size));
    return stack;
}

static void sizes_are_whole_pages_and_not_too_small(void **state)
{
    (void)state;
    size_t twice = WEIR__ASAN ? 2 : 1;
    assert_int_equal(weir__stack_size(0), WEIR__STACK_DEFAULT * twice + WEIR__STACK_GUARD);
    assert_int_equal(weir__stack_size(1), 32768 * twice + WEIR__STACK_GUARD);
    assert_int_equal(weir__stack_size(40000), (twice == 1 ? 40960 : 81920) + WEIR__STACK_GUARD);
    assert_int_equal(weir__stack_size(65536), 65536 * twice + WEIR__STACK_GUARD);
}

static void all_but_the_guard_can_be_used(void **state)
{
    (void)state;
    if (in_valgrind())
        skip();
    size_t size = weir__stack_size(65536);
    struct weir__stack stack = taken(size);
    assert_false(accessible(stack.low));
    assert_false(accessible(stack.low + WEIR__STACK_GUARD - 1));
    assert_true(accessible(stack.low + WEIR__STACK_GUARD));
    assert_true(accessible(stack.low + size - 1));
    memset(stack.low + WEIR__STACK_GUARD, 0x5a, size - WEIR__STACK_GUARD);
    weir__stack_return(stack);
    assert_false(accessible(stack.low));
}

static void the_guard_is_known(void **state)
{
    (void)state;
    struct weir__stack stack = taken(weir__stack_size(0));
    assert_true(weir__stack_in_guard(&stack, stack.low));
    assert_true(weir__stack_in_guard(&stack, stack.low + WEIR__STACK_GUARD - 1));
    assert_false(weir__stack_in_guard(&stack, stack.low + WEIR__STACK_GUARD));
    assert_false(weir__stack_in_guard(&stack, stack.low - 1));
    assert_false(weir__stack_in_guard(&stack, NULL));
    weir__stack_return(stack);
}

static void what_was_returned_is_used_again(void **state)
{
    (void)state;
    size_t size = weir__stack_size(65536);
    struct weir__stack first = taken(size), second = taken(size);
    assert_ptr_not_equal(first.low, second.low);
    weir__stack_return(first);
    weir__stack_return(second);
    struct weir__stack again = taken(size);
    assert_ptr_equal(again.low, second.low);
    weir__stack_return(again);
}

static void sizes_are_kept_apart(void **state)
{
    (void)state;
    struct weir__stack small = taken(weir__stack_size(40960));
    weir__stack_return(small);
    struct weir__stack large = taken(weir__stack_size(1 << 20));
    assert_ptr_not_equal(large.low, small.low);
    memset(large.low + WEIR__STACK_GUARD, 1, large.size - WEIR__STACK_GUARD);
    weir__stack_return(large);
}

static void a_new_stack_costs_a_page(void **state)
{
    (void)state;
    struct weir__stack stack = taken(weir__stack_size(128 << 10));
    assert_int_equal(resident(stack), 1);
    weir__stack_return(stack);
}

static void a_stack_that_went_deep_gives_its_pages_back(void **state)
{
    (void)state;
    struct weir__stack stack = taken(weir__stack_size(196608));
    memset(stack.low + WEIR__STACK_GUARD, 1, stack.size - WEIR__STACK_GUARD);
    assert_int_equal(resident(stack), (stack.size - WEIR__STACK_GUARD) / PAGE);
    weir__stack_return(stack);
    assert_int_equal(resident(stack), KEPT / PAGE);
}

static int compare_stacks(const void *left, const void *right)
{
    const char *a = ((const struct weir__stack *)left)->low, *b = ((const struct weir__stack *)right)->low;
    return (a > b) - (a < b);
}

/* More than the free list keeps warm: the rest give back all they have, and all are found again. */
static void cold_stacks_cost_nothing(void **state)
{
    (void)state;
    enum { MANY = HOT + 200 };
    static struct weir__stack first[MANY], second[MANY];
    size_t size = weir__stack_size(49152);
    for (size_t i = 0; i < MANY; i++)
        first[i] = taken(size);
    for (size_t i = 0; i < MANY; i++)
        weir__stack_return(first[i]);
    assert_int_equal(resident(first[0]), 1);
    assert_int_equal(resident(first[HOT - 1]), 1);
    for (size_t i = HOT; i < MANY; i++)
        assert_int_equal(resident(first[i]), 0);
    for (size_t i = 0; i < MANY; i++)
        second[i] = taken(size);
    qsort(first, MANY, sizeof *first, compare_stacks);
    qsort(second, MANY, sizeof *second, compare_stacks);
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(first[i].low, second[i].low);
        assert_true(i == 0 || second[i].low >= second[i - 1].low + size);
        weir__stack_return(second[i]);
    }
}

/* --- threads --- */

static void *take_and_return(void *arg)
{
    size_t size = weir__stack_size(57344);
    struct weir__stack held[16] = {{0}};
    uint64_t random = (uintptr_t)arg;
    for (size_t i = 0; i < often(20000); i++) {
        struct weir__stack *one = &held[chance(&random, 16)];
        if (one->low) {
            check(*(void **)(one->low + WEIR__STACK_GUARD) == arg);
            weir__stack_return(*one);
            one->low = NULL;
        } else {
            *one = taken(size);
            *(void **)(one->low + WEIR__STACK_GUARD) = arg;
        }
    }
    for (size_t i = 0; i < 16; i++)
        if (held[i].low)
            weir__stack_return(held[i]);
    return NULL;
}

static void threads_share_the_arena(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_return, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* --- kernels without MADV_GUARD_INSTALL --- */

static void run_in_child(void (*function)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        weir__stack_map_guards = true;
        function();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void check_mapped_guards(void)
{
    struct weir__stack stacks[100];
    for (size_t i = 0; i < 100; i++) {
        stacks[i] = taken(weir__stack_size(73728));
        check(!accessible(stacks[i].low) && !accessible(stacks[i].low + WEIR__STACK_GUARD - 1));
        memset(stacks[i].low + WEIR__STACK_GUARD, 1, stacks[i].size - WEIR__STACK_GUARD);
    }
    for (size_t i = 0; i < 100; i++)
        weir__stack_return(stacks[i]);
    check(!accessible(taken(weir__stack_size(73728)).low));
}

static void guards_can_be_mappings(void **state)
{
    (void)state;
    if (in_valgrind())
        skip();
    run_in_child(check_mapped_guards);
}

static void check_limit_of_mappings(void)
{
    struct weir__stack stack;
    size_t count = 0;
    while (count <= 30000 && weir__stack_take(&stack, weir__stack_size(36864)))
        count++;
    check(errno == ENOMEM && count == 30000);
    /* What comes back can be had again. */
    weir__stack_return(stack);
    check(weir__stack_take(&stack, stack.size));
}

static void mappings_stay_below_the_limit_of_the_kernel(void **state)
{
    (void)state;
    if (in_valgrind())
        skip();
    run_in_child(check_limit_of_mappings);
}

/* Who gives back what is below his frame has calls in there: the page below his own stays where they may lie on it. */
static void what_may_be_in_use_is_not_forgotten(void **state)
{
    (void)state;
    struct weir__stack stack = taken(weir__stack_size(73728));
    memset(stack.low + WEIR__STACK_GUARD, 1, stack.size - WEIR__STACK_GUARD);
    weir__stack_forget(&stack, stack.low + stack.size - 3 * PAGE + 16);
    assert_int_equal(resident(stack), 4);
    weir__stack_forget(&stack, stack.low + stack.size - PAGE / 4);
    assert_int_equal(resident(stack), WEIR__ASAN || WEIR__TSAN ? 2 : 1);
    weir__stack_return(stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_whole_pages_and_not_too_small),
        cmocka_unit_test(all_but_the_guard_can_be_used),
        cmocka_unit_test(the_guard_is_known),
        cmocka_unit_test(what_was_returned_is_used_again),
        cmocka_unit_test(sizes_are_kept_apart),
        cmocka_unit_test(a_new_stack_costs_a_page),
        cmocka_unit_test(a_stack_that_went_deep_gives_its_pages_back),
        cmocka_unit_test(what_may_be_in_use_is_not_forgotten),
        cmocka_unit_test(cold_stacks_cost_nothing),
        cmocka_unit_test(threads_share_the_arena),
        cmocka_unit_test(guards_can_be_mappings),
        cmocka_unit_test(mappings_stay_below_the_limit_of_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
