/* The values of a pickle, the stack they are made on and the memo; see record_values.h. */
#include "record_values.h"

void values_begin(struct values *values)
{
    values->count = NOWHERE + 1;
    values->depth = values->puts = 0;
}

struct value *values_push(struct values *values, enum value_kind kind)
{
    if (values->count == VALUES_MOST || values->depth == VALUES_MOST)
        return NULL;
    struct value *value = &values->value[values->count];
    value->kind = kind;
    value->first = value->last = value->next = NOWHERE;
    values->stack[values->depth++] = (value_place)values->count++;
    return value;
}

bool values_push_text(struct values *values, enum value_kind kind, weir_part text)
{
    struct value *value = values_push(values, kind);
    if (value)
        value->text = text;
    return value != NULL;
}

bool values_mark(struct values *values)
{
    if (values->depth == VALUES_MOST)
        return false;
    values->stack[values->depth++] = NOWHERE;
    return true;
}

value_place values_top(const struct values *values)
{
    return values->depth > 0 ? values->stack[values->depth - 1] : NOWHERE;
}

/* How deep the stack was at its last mark. False: it has none. */
static bool find_mark(const struct values *values, size_t *depth)
{
    for (*depth = values->depth; *depth > 0;)
        if (values->stack[--*depth] == NOWHERE)
            return true;
    return false;
}

bool value_is_plain(const struct value *value)
{
    return value->kind != VALUE_ENCODE && value->kind != VALUE_BYTES;
}

/* --- lists and dictionaries --- */

/* What can be a key here: Python's may also be a tuple. */
static bool is_key(const struct value *value)
{
    return value->kind <= VALUE_TEXT;
}

static void append(struct values *values, struct value *to, value_place place)
{
    if (to->last == NOWHERE)
        to->first = place;
    else
        values->value[to->last].next = place;
    to->last = place;
}

/* Whether what is on the stack from `depth` on can be in a list, or in pairs in a dictionary. */
static bool may_fill(const struct values *values, size_t depth, bool in_pairs)
{
    for (size_t i = depth; i < values->depth; i++) {
        const struct value *value = &values->value[values->stack[i]];
        bool is_name = in_pairs && (i - depth) % 2 == 0;
        if (values->stack[i] == NOWHERE || !value_is_plain(value) || (is_name && !is_key(value)))
            return false;
    }
    return !in_pairs || (values->depth - depth) % 2 == 0;
}

/* Moves what is on the stack from `depth` on into what is at `below`. */
static bool fill(struct values *values, size_t below, size_t depth, enum value_kind kind)
{
    struct value *to = &values->value[values->stack[below]];
    if (values->stack[below] == NOWHERE || to->kind != kind || !may_fill(values, depth, kind == VALUE_DICTIONARY))
        return false;
    for (size_t i = depth; i < values->depth; i++)
        append(values, to, values->stack[i]);
    values->depth = below + 1;
    return true;
}

bool values_fill(struct values *values, size_t count, enum value_kind kind)
{
    return values->depth > count && fill(values, values->depth - count - 1, values->depth - count, kind);
}

bool values_fill_from_mark(struct values *values, enum value_kind kind)
{
    size_t mark;
    return find_mark(values, &mark) && mark > 0 && fill(values, mark - 1, mark + 1, kind);
}

bool values_tuple(struct values *values)
{
    size_t mark, depth = values->depth;
    if (!find_mark(values, &mark) || !values_push(values, VALUE_LIST))
        return false;
    values->stack[mark] = values->stack[depth];
    values->depth = depth;
    return fill(values, mark, mark + 1, VALUE_LIST);
}

/* --- the memo --- */

bool values_remember(struct values *values, uint64_t place)
{
    if (place == 1 && values->puts == 0)
        values->memo[values->puts++] = NOWHERE;
    if (place > values->puts || place >= VALUES_MOST || values_top(values) == NOWHERE)
        return false;
    values->memo[place] = values_top(values);
    if (place == values->puts)
        values->puts++;
    return true;
}

bool values_recall(struct values *values, uint64_t place)
{
    if (place >= values->puts || values->memo[place] == NOWHERE)
        return false;
    const struct value *from = &values->value[values->memo[place]];
    struct value *again = values_push(values, VALUE_SAME);
    if (!again)
        return false;
    if (from->kind == VALUE_LIST || from->kind == VALUE_DICTIONARY) {
        again->first = values->memo[place];
        return true;
    }
    *again = *from;
    again->next = NOWHERE;
    return true;
}
