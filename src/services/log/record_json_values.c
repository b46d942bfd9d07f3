/* What has a shape of its own in JSON: RFC 5424's structured data, and the values of a pickle. */
#include <math.h>
#include <string.h>

#include "record_inside.h"

/* --- structured data --- */

/* Without the backslashes that make a quote, a backslash or a bracket part of a value; others are part of it. */
static void put_parameter_value(struct output *output, weir_part value)
{
    size_t begin = 0;
    put_character(output, '"');
    for (size_t i = 0; i + 1 < value.length; i++) {
        if (value.text[i] != '\\' || !memchr("\"\\]", value.text[i + 1], 3))
            continue;
        put_escaped(output, value.text + begin, i - begin);
        begin = ++i;
    }
    put_escaped(output, value.text + begin, value.length - begin);
    put_character(output, '"');
}

static bool same_name(const struct parameter *one, const struct parameter *other)
{
    return one->name.length == other->name.length && memcmp(one->name.text, other->name.text, one->name.length) == 0;
}

/* The values of all parameters of that name from `at` on: one as it is, more as a list. Nothing if one stood before. */
static void put_parameters(struct output *output, const struct parameter *parameters, size_t count, size_t at)
{
    size_t same = 0;
    for (size_t i = 0; i < at; i++)
        if (same_name(&parameters[i], &parameters[at]))
            return;
    for (size_t i = at; i < count; i++)
        same += same_name(&parameters[i], &parameters[at]);
    put_key(output, parameters[at].name);
    if (same > 1)
        put_character(output, '[');
    for (size_t i = at, seen = 0; i < count; i++) {
        if (!same_name(&parameters[i], &parameters[at]))
            continue;
        if (seen++ > 0)
            put_character(output, ',');
        put_parameter_value(output, parameters[i].value);
    }
    if (same > 1)
        put_character(output, ']');
}

void put_structured(struct output *output, weir_part structured)
{
    struct rest rest = {structured.text, structured.text + structured.length};
    struct parameter parameters[PARAMETERS_MOST];
    weir_part name;
    put_character(output, '{');
    while (read_element(&rest, &name)) {
        size_t count = 0;
        while (count < PARAMETERS_MOST && read_parameter(&rest, &parameters[count]))
            count++;
        rest_skip(&rest, ']');
        put_key(output, name);
        put_character(output, '{');
        for (size_t i = 0; i < count; i++)
            put_parameters(output, parameters, count, i);
        put_character(output, '}');
    }
    put_character(output, '}');
}

/* --- Python's values --- */

enum { DEPTH_MOST = 32 }; /* a value may be in itself */

static void put_integer(struct output *output, int64_t number)
{
    char text[WEIR_INT_TEXT];
    put_string(output, weir_int_text(number, text, sizeof text));
}

/* Whole ones, as Python's milliseconds, are spared the search for the shortest text. */
static void put_real(struct output *output, double real)
{
    char text[WEIR_FLOAT_TEXT];
    if (real >= 1 && real < 1e15 && real == floor(real)) {
        put_integer(output, (int64_t)real);
        put_string(output, ".0");
        return;
    }
    weir_float_text(real, text, sizeof text);
    if (isfinite(real))
        put_string(output, text);
    else /* JSON has no such numbers */
        put_quoted(output, text, strlen(text));
}

/* What has no others in it. */
static void put_scalar(struct output *output, const struct value *value)
{
    static const char *const constants[] = {[VALUE_NONE] = "null", [VALUE_FALSE] = "false", [VALUE_TRUE] = "true"};
    switch (value->kind) {
    case VALUE_INTEGER:
        put_integer(output, value->number);
        break;
    case VALUE_DIGITS:
        put(output, value->text.text, value->text.length);
        break;
    case VALUE_REAL:
        put_real(output, value->real);
        break;
    case VALUE_TEXT:
        put_quoted(output, value->text.text, value->text.length);
        break;
    default:
        put_string(output, constants[value->kind]);
    }
}

/* JSON's keys are strings. */
static void put_value_key(struct output *output, const struct value *key)
{
    bool is_quoted = key->kind == VALUE_TEXT || (key->kind == VALUE_REAL && !isfinite(key->real));
    put_comma(output);
    if (!is_quoted)
        put_character(output, '"');
    put_scalar(output, key);
    if (!is_quoted)
        put_character(output, '"');
    put_character(output, ':');
}

static void put_value(struct output *output, const struct values *values, const struct value *value, int depth);

static void put_list(struct output *output, const struct values *values, const struct value *list, int depth)
{
    put_character(output, '[');
    for (value_place at = list->first; at != NOWHERE && !output->full; at = values->value[at].next) {
        if (at != list->first)
            put_character(output, ',');
        put_value(output, values, &values->value[at], depth);
    }
    put_character(output, ']');
}

/*
 * The record's message stands by itself already. What is said again within the record is shown: what shows nothing must
 * not be gone over again and again.
 */
static bool is_shown(const struct value *key, int depth)
{
    return depth > 1 || key->kind != VALUE_TEXT || key->text.length != 3 || memcmp(key->text.text, "msg", 3) != 0;
}

static void put_dictionary(struct output *output, const struct values *values, const struct value *dictionary,
                           int depth)
{
    put_character(output, '{');
    for (value_place at = dictionary->first; at != NOWHERE && !output->full;) {
        const struct value *key = &values->value[at], *value = &values->value[key->next];
        if (is_shown(key, depth)) {
            put_value_key(output, key);
            put_value(output, values, value, depth);
        }
        at = value->next;
    }
    put_character(output, '}');
}

/* Deeper ones are left out. */
static void put_value(struct output *output, const struct values *values, const struct value *value, int depth)
{
    if (value->kind == VALUE_SAME)
        value = &values->value[value->first];
    if (value->kind != VALUE_LIST && value->kind != VALUE_DICTIONARY)
        put_scalar(output, value);
    else if (depth == DEPTH_MOST)
        put_string(output, "\"...\"");
    else if (value->kind == VALUE_LIST)
        put_list(output, values, value, depth + 1);
    else
        put_dictionary(output, values, value, depth + 1);
}

void put_values(struct output *output, const struct values *values)
{
    put_value(output, values, &values->value[values->root], 0);
}
