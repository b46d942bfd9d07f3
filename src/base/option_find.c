/*
 * Finding an option by what was typed: the whole name, a beginning that one alone has, a letter; else what may have
 * been meant.
 */
#include <errno.h>
#include <string.h>
#include <weir/error.h>

#include "base/option.h"
#include "base/text.h"

enum {
    LONGEST_GUESSED = 40, /* names of more bytes are not compared by distance */
    MOST_SHOWN = 100,     /* bytes of what was typed, in errors */
};

/* What was typed, without its dashes and its "=value". */
struct typed {
    const char *name;
    size_t length;
};

typedef bool matcher(const char *name, struct typed typed);

static bool is_whole(const char *name, struct typed typed)
{
    return strlen(name) == typed.length && memcmp(name, typed.name, typed.length) == 0;
}

static bool is_begun(const char *name, struct typed typed)
{
    return strncmp(name, typed.name, typed.length) == 0;
}

/* What follows "no-", if it is that it begins with; a name of length 0 else. */
static struct typed without_no(struct typed typed)
{
    static const char no[] = "no-";
    size_t skipped = sizeof no - 1;
    if (typed.length <= skipped || memcmp(typed.name, no, skipped) != 0)
        return (struct typed){.name = typed.name, .length = 0};
    return (struct typed){.name = typed.name + skipped, .length = typed.length - skipped};
}

static bool row_matches(const weir_option *option, matcher *matches, struct typed typed, bool negated)
{
    if (!negated)
        return typed.length > 0 && matches(option->name, typed);
    struct typed rest = without_no(typed);
    return option->kind == WEIR_OPTION_FLAG && rest.length > 0 && matches(option->name, rest);
}

static bool is_same(const struct weir__option_found *found, const weir_option *option, bool negated)
{
    return found->negated == negated && strcmp(found->option->name, option->name) == 0;
}

/* A walk over all rows of all sets, each as itself and then, if a flag, negated. */
struct walk {
    const weir_option_set *sets;
    size_t count;
    size_t set;
    size_t row;
    bool negated; /* the row's second turn */
};

static bool next_row(struct walk *walk, struct weir__option_found *row)
{
    for (; walk->set < walk->count; walk->set++, walk->row = 0) {
        const weir_option *option = &walk->sets[walk->set].options[walk->row];
        if (weir__option_is_end(option))
            continue;
        *row = (struct weir__option_found){option, walk->sets[walk->set].settings, walk->negated};
        walk->negated = !walk->negated && option->kind == WEIR_OPTION_FLAG;
        walk->row += !walk->negated;
        return true;
    }
    return false;
}

/* The first row that matches into *found; returns how many differently named ones do. */
static size_t find_rows(struct walk walk, matcher *matches, struct typed typed, struct weir__option_found *found)
{
    size_t count = 0;
    struct weir__option_found row;
    while (next_row(&walk, &row)) {
        if (!row_matches(row.option, matches, typed, row.negated))
            continue;
        if (count == 0)
            *found = row;
        if (count == 0 || !is_same(found, row.option, row.negated))
            count++;
    }
    return count;
}

static void put_name(struct weir__text *text, const struct weir__option_found *row)
{
    weir__text_put(text, row->negated ? "--no-" : "--");
    weir__text_put(text, row->option->name);
}

static void put_typed(struct weir__text *text, struct typed typed)
{
    weir__text_put(text, "--");
    weir__text_put_bytes(text, typed.name, typed.length);
}

static int fail_ambiguous(struct walk walk, struct typed typed)
{
    char subject[128];
    struct weir__text subject_text = weir__text(subject, sizeof subject);
    put_typed(&subject_text, typed);

    char reason[300];
    struct weir__text text = weir__text(reason, sizeof reason);
    const char *separator = "ambiguous, could be ";
    struct weir__option_found row;
    while (next_row(&walk, &row)) {
        if (!row_matches(row.option, is_begun, typed, row.negated))
            continue;
        weir__text_put(&text, separator);
        put_name(&text, &row);
        separator = ", ";
    }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", subject, "%s", reason);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, left out, added or swapped with their neighbour to make one of the other. */
static size_t distance(struct typed a, struct typed b)
{
    size_t rows[3][LONGEST_GUESSED + 1];
    size_t *before_last = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.length; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t change = a.name[i - 1] != b.name[j - 1];
            row[j] = smaller(smaller(last[j], row[j - 1]) + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && a.name[i - 1] == b.name[j - 2] && a.name[i - 2] == b.name[j - 1])
                row[j] = smaller(row[j], before_last[j - 2] + 1);
        }
        size_t *oldest = before_last;
        before_last = last;
        last = row;
        row = oldest;
    }
    return last[b.length];
}

/* The distance to a row, or SIZE_MAX where it is too far to have been meant. */
static size_t distance_to_row(const struct weir__option_found *row, struct typed typed)
{
    struct typed name = {row->option->name, strlen(row->option->name)};
    if (row->negated)
        typed = without_no(typed);
    if (typed.length == 0 || typed.length > LONGEST_GUESSED || name.length > LONGEST_GUESSED)
        return SIZE_MAX;
    size_t longer = name.length > typed.length ? name.length : typed.length;
    size_t most = longer / 3 > 2 ? longer / 3 : 2;
    size_t far = distance(typed, name);
    return far <= most && 2 * far <= longer ? far : SIZE_MAX;
}

static bool guess(struct walk walk, struct typed typed, struct weir__option_found *best)
{
    size_t nearest = SIZE_MAX;
    struct weir__option_found row;
    while (next_row(&walk, &row)) {
        size_t far = distance_to_row(&row, typed);
        if (far < nearest) {
            nearest = far;
            *best = row;
        }
    }
    return nearest != SIZE_MAX;
}

static int fail_unknown(struct walk walk, struct typed typed)
{
    char reason[300];
    struct weir__text text = weir__text(reason, sizeof reason);
    weir__text_put(&text, "unknown option ");
    put_typed(&text, (struct typed){typed.name, weir__text_cut(typed.name, typed.length, MOST_SHOWN)});
    struct weir__option_found meant;
    if (guess(walk, typed, &meant)) {
        weir__text_put(&text, ", did you mean ");
        put_name(&text, &meant);
        weir__text_put_char(&text, '?');
    }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "", "%s", reason);
}

int weir__option_find(const weir_option_set *sets, size_t count, const char *name, size_t length,
                      struct weir__option_found *found)
{
    struct walk walk = {.sets = sets, .count = count};
    struct typed typed = {name, length};
    if (find_rows(walk, is_whole, typed, found) > 0)
        return 0;
    size_t begun = find_rows(walk, is_begun, typed, found);
    if (begun == 1)
        return 0;
    return begun > 1 ? fail_ambiguous(walk, typed) : fail_unknown(walk, typed);
}

/* Somebody who writes -timeout means --timeout. */
static int fail_letter(struct walk walk, const char *letter, const char *word)
{
    char reason[300];
    struct weir__text text = weir__text(reason, sizeof reason);
    weir__text_put(&text, "unknown option -");
    size_t character = weir__utf8_length(letter, strlen(letter));
    character = character > 0 ? character : 1;
    weir__text_put_bytes(&text, letter, character);
    struct typed typed = {word + 1, strcspn(word + 1, "=")};
    struct weir__option_found meant;
    if (typed.length > character) {
        weir__text_put(&text, " in ");
        weir__text_put_bytes(&text, word, weir__text_cut(word, strlen(word), MOST_SHOWN));
    }
    if (typed.length > character && find_rows(walk, is_whole, typed, &meant) > 0) {
        weir__text_put(&text, ", did you mean ");
        put_name(&text, &meant);
        weir__text_put_char(&text, '?');
    }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "", "%s", reason);
}

int weir__option_find_letter(const weir_option_set *sets, size_t count, const char *letter, const char *word,
                             struct weir__option_found *found)
{
    struct walk walk = {.sets = sets, .count = count};
    struct walk start = walk;
    while (next_row(&walk, found))
        if (!found->negated && found->option->letter == *letter)
            return 0;
    return fail_letter(start, letter, word);
}
