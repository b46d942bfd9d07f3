/* The lines of weir serve log that wait to be written: in order, up to a bound, none lost where a write stopped within one. */
#include "../../src/services/log/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct lines lines;

static bool add(const char *line)
{
    size_t length = strlen(line);
    char *room = lines_room(&lines, length);
    if (!room)
        return false;
    memcpy(room, line, length);
    lines_add(&lines, length);
    return true;
}

/* A line that leaves no room in its piece for another. */
static bool add_large(char letter)
{
    char *room = lines_room(&lines, LINES_PIECE);
    if (!room)
        return false;
    memset(room, letter, LINES_PIECE - 1);
    room[LINES_PIECE - 1] = '\n';
    lines_add(&lines, LINES_PIECE);
    return true;
}

static int end(void **state)
{
    (void)state;
    lines_free(&lines);
    return 0;
}

static void lines_lie_behind_each_other(void **state)
{
    (void)state;
    assert_true(add("one\n") && add("two\n"));
    struct lines_piece *piece = lines_take(&lines);
    assert_int_equal(piece->length, 8);
    assert_memory_equal(piece->text, "one\ntwo\n", 8);
    assert_null(piece->next);
    assert_null(lines_take(&lines));
    lines_give(&lines, piece);
}

static void what_is_put_back_is_before_what_came_meanwhile(void **state)
{
    (void)state;
    assert_true(add("one\n"));
    struct lines_piece *first = lines_take(&lines);
    assert_true(add("two\n"));
    lines_return(&lines, first);
    assert_ptr_equal(lines.first, first);
    assert_memory_equal(first->next->text, "two\n", 4);
    assert_int_equal(lines_count(&lines), 2);
    assert_true(add("three\n"));
    assert_int_equal(lines.last->length, 10);
}

static void there_is_a_bound_which_those_that_are_written_count_for(void **state)
{
    (void)state;
    for (int i = 0; i < LINES_PIECES; i++)
        assert_true(add_large((char)('a' + i)));
    assert_false(add_large('z'));
    struct lines_piece *first = lines_take(&lines), *rest = first->next;
    assert_false(add("one\n"));
    lines_give(&lines, first);
    assert_true(add("one\n"));
    lines_return(&lines, rest);
    assert_int_equal(lines.first->text[0], 'b');
    assert_int_equal(lines_count(&lines), LINES_PIECES);
}

static void a_line_that_was_begun_counts_as_one_that_was_not_written(void **state)
{
    (void)state;
    assert_true(add("one\n") && add("two\n") && add("three\n"));
    struct lines_piece *piece = lines.first;
    piece->done = 0;
    assert_int_equal(lines_begin(piece), 0);
    piece->done = 2;
    assert_int_equal(lines_begin(piece), 0);
    assert_int_equal(lines_count(&lines), 3);
    piece->done = 4;
    assert_int_equal(lines_begin(piece), 4);
    piece->done = 10;
    assert_int_equal(lines_begin(piece), 8);
    assert_int_equal(lines_count(&lines), 1);
    piece->done = piece->length;
    assert_int_equal(lines_count(&lines), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_lie_behind_each_other, end),
        cmocka_unit_test_teardown(what_is_put_back_is_before_what_came_meanwhile, end),
        cmocka_unit_test_teardown(there_is_a_bound_which_those_that_are_written_count_for, end),
        cmocka_unit_test_teardown(a_line_that_was_begun_counts_as_one_that_was_not_written, end),
    };
    return cmocka_run_group_tests_name("log_lines", tests, NULL, NULL);
}
