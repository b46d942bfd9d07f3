/* An option's value: read as its kind has it, and put into the member of the settings. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/option.h"
#include "base/text.h"

/* What is being read, and what to call it in an error. */
struct value {
    const weir_option *option;
    const char *shown;
    const char *text;
    void *member;
};

static int fail(const struct value *value, const char *reason)
{
    char subject[512];
    struct weir__text text = weir__text(subject, sizeof subject);
    weir__text_put(&text, value->shown);
    weir__text_put_char(&text, ' ');
    weir__text_put(&text, *value->text ? value->text : "''");
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", subject, "%s", reason);
}

/* The same option's name in place of what the reader of a quantity could say. */
static int fail_again(const struct value *value)
{
    return fail(value, weir_error()->reason);
}

static int set_flag(const struct value *value)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(value->text, words[i]) == 0) {
            *(bool *)value->member = i % 2 == 1;
            return 0;
        }
    return fail(value, "neither yes nor no");
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Reads a whole number. 0, or -1 with EINVAL or ERANGE and no sentence. */
static int read_integer(const char *text, int64_t *number)
{
    bool negative = *text == '-';
    const char *digit = text + negative;
    int64_t value = 0;
    if (!is_digit(*digit) || digit[strspn(digit, "0123456789")] != '\0') {
        errno = EINVAL;
        return -1;
    }
    for (; *digit; digit++) {
        int64_t step = negative ? '0' - *digit : *digit - '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, step, &value)) {
            errno = ERANGE;
            return -1;
        }
    }
    *number = value;
    return 0;
}

static int fail_bound(const struct value *value, const char *side, int64_t bound)
{
    char reason[64];
    struct weir__text text = weir__text(reason, sizeof reason);
    weir__text_put(&text, side);
    if (bound < 0)
        weir__text_put_char(&text, '-');
    weir__text_put_number(&text, bound < 0 ? 0 - (uint64_t)bound : (uint64_t)bound);
    return fail(value, reason);
}

/* Reads a whole number within bounds. */
static int get_bounded(const struct value *value, int64_t minimum, int64_t maximum, int64_t *number)
{
    if (read_integer(value->text, number) < 0) {
        if (errno == EINVAL)
            return fail(value, "not a whole number");
        return value->text[0] == '-' ? fail_bound(value, "below ", minimum) : fail_bound(value, "above ", maximum);
    }
    if (*number < minimum)
        return fail_bound(value, "below ", minimum);
    if (*number > maximum)
        return fail_bound(value, "above ", maximum);
    return 0;
}

/* Reads a number within the row's bounds, of which the largest is `largest` if it has none. */
static int get_integer(const struct value *value, int64_t largest, int64_t *number)
{
    const weir_option *option = value->option;
    bool unbounded = option->minimum == 0 && option->maximum == 0;
    return get_bounded(value, option->minimum, unbounded ? largest : option->maximum, number);
}

static int set_integer(const struct value *value)
{
    int64_t number = 0;
    if (get_integer(value, INT64_MAX, &number) < 0)
        return -1;
    *(int64_t *)value->member = number;
    return 0;
}

static int set_int(const struct value *value)
{
    int64_t number = 0;
    if (get_integer(value, INT_MAX, &number) < 0)
        return -1;
    *(int *)value->member = (int)number;
    return 0;
}

static bool is_never(const char *text)
{
    return strcmp(text, "never") == 0;
}

static int get_size(const struct value *value, int64_t *size)
{
    uint64_t bytes;
    if (weir_parse_size(value->text, &bytes) < 0)
        return fail_again(value);
    if (bytes > INT64_MAX)
        return fail(value, "too large");
    *size = (int64_t)bytes;
    return 0;
}

static int set_size(const struct value *value)
{
    int64_t size;
    if (get_size(value, &size) < 0)
        return -1;
    *(int64_t *)value->member = size;
    return 0;
}

static int get_count(const struct value *value, int64_t *count)
{
    return get_bounded(value, 0, INT64_MAX, count);
}

/* A count or a size that can be switched off. */
static int set_limit(const struct value *value, int (*get)(const struct value *value, int64_t *limit))
{
    int64_t limit = 0;
    if (!is_never(value->text) && get(value, &limit) < 0)
        return -1;
    *(int64_t *)value->member = limit == 0 ? -1 : limit;
    return 0;
}

static int set_time(const struct value *value)
{
    int64_t duration;
    if (weir_parse_duration(value->text, &duration) < 0)
        return fail_again(value);
    *(int64_t *)value->member = duration == 0 ? WEIR_FOREVER : duration;
    return 0;
}

static int fail_choice(const struct value *value)
{
    char reason[300];
    struct weir__text text = weir__text(reason, sizeof reason);
    weir__text_put(&text, "not one of ");
    for (const char *const *choice = value->option->choices; *choice; choice++) {
        weir__text_put(&text, *choice);
        if (choice[1])
            weir__text_put(&text, ", ");
    }
    return fail(value, reason);
}

static int set_choice(const struct value *value)
{
    for (int i = 0; value->option->choices[i]; i++)
        if (strcmp(value->text, value->option->choices[i]) == 0) {
            *(int *)value->member = i;
            return 0;
        }
    return fail_choice(value);
}

static int grow(const char ***texts, size_t capacity)
{
    const char **larger = realloc(*texts, capacity * sizeof *larger);
    if (!larger)
        return -1;
    *texts = larger;
    return 0;
}

/* Grows at each power of two, so that no capacity need be kept. */
static int add_to_list(const struct value *value)
{
    weir_option_list *list = value->member;
    if ((list->count & (list->count - 1)) == 0) {
        size_t capacity = list->count > 0 ? 2 * list->count : 1;
        if (grow(&list->items, capacity + 1) < 0 || grow(&list->names, capacity) < 0)
            return weir__fail_memory("options");
    }
    list->names[list->count] = value->option->name;
    list->items[list->count++] = value->text;
    list->items[list->count] = NULL;
    return 0;
}

int weir__option_set(const weir_option *option, void *settings, const char *shown, const char *text)
{
    struct value value = {.option = option, .shown = shown, .text = text, .member = (char *)settings + option->offset};
    switch (option->kind) {
    case WEIR_OPTION_FLAG:
        return set_flag(&value);
    case WEIR_OPTION_TEXT:
        *(const char **)value.member = text;
        return 0;
    case WEIR_OPTION_INTEGER:
        return set_integer(&value);
    case WEIR_OPTION_INT:
        return set_int(&value);
    case WEIR_OPTION_LIMIT:
        return set_limit(&value, get_count);
    case WEIR_OPTION_SIZE:
        return set_size(&value);
    case WEIR_OPTION_SIZE_LIMIT:
        return set_limit(&value, get_size);
    case WEIR_OPTION_TIME:
        return set_time(&value);
    case WEIR_OPTION_CHOICE:
        return set_choice(&value);
    case WEIR_OPTION_LIST:
        return add_to_list(&value);
    case WEIR_OPTION_END:
        break;
    }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", shown, "an option of no kind");
}
