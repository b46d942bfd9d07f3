/* Intrusive lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int number;
    struct weir__list link;
};

static int number_of(const struct weir__list *link)
{
    return weir__list_entry(link, const struct item, link)->number;
}

/* The items' numbers as the digits of one number, forwards; backwards must be the same. */
static int digits(const struct weir__list *list)
{
    int forwards = 0, backwards = 0, unit = 1;
    const struct weir__list *link;
    weir__list_each(link, list) forwards = forwards * 10 + number_of(link);
    for (link = list->previous; link != list; link = link->previous, unit *= 10)
        backwards += unit * number_of(link);
    assert_int_equal(forwards, backwards);
    return forwards;
}

static void make(struct weir__list *list, struct item *items, int count, int first)
{
    weir__list_init(list);
    for (int i = 0; i < count; i++) {
        items[i].number = first + i;
        weir__list_push_back(list, &items[i].link);
    }
}

static void items_are_put_at_both_ends(void **state)
{
    (void)state;
    struct weir__list list;
    struct item items[3], front = {.number = 9};
    weir__list_init(&list);
    assert_true(weir__list_empty(&list));
    assert_null(weir__list_front(&list));
    assert_null(weir__list_pop_front(&list));
    make(&list, items, 3, 1);
    weir__list_push_front(&list, &front.link);
    assert_false(weir__list_empty(&list));
    assert_int_equal(digits(&list), 9123);
    assert_ptr_equal(weir__list_front(&list), &front.link);
    assert_ptr_equal(weir__list_pop_front(&list), &front.link);
    assert_int_equal(digits(&list), 123);
}

static void whoever_is_listed_leaves_from_anywhere(void **state)
{
    (void)state;
    struct weir__list list;
    struct item items[3];
    make(&list, items, 3, 1);
    weir__list_remove(&items[1].link);
    assert_int_equal(digits(&list), 13);
    assert_true(weir__list_empty(&items[1].link));
    weir__list_remove(&items[1].link);
    assert_int_equal(digits(&list), 13);
    weir__list_push_front(&list, &items[1].link);
    weir__list_remove(&items[2].link);
    weir__list_remove(&items[0].link);
    weir__list_remove(&items[1].link);
    assert_true(weir__list_empty(&list));
}

static void lists_are_joined(void **state)
{
    (void)state;
    struct weir__list first, second, none;
    struct item items[2], others[2];
    weir__list_init(&none);
    make(&first, items, 2, 1);
    make(&second, others, 2, 3);
    weir__list_append(&first, &second);
    assert_int_equal(digits(&first), 1234);
    assert_true(weir__list_empty(&second));
    weir__list_append(&first, &none);
    assert_int_equal(digits(&first), 1234);
    weir__list_append(&none, &first);
    assert_int_equal(digits(&none), 1234);
    assert_true(weir__list_empty(&first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_put_at_both_ends),
        cmocka_unit_test(whoever_is_listed_leaves_from_anywhere),
        cmocka_unit_test(lists_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
