/* Pickles, opcode by opcode, of which only those are known that make plain values; see record_values.h. */
#include "record_values.h"

#include <string.h>

struct pickle {
    struct values *values;
    const unsigned char *next, *end;
};

/* Does what an opcode says. False: it cannot be done. */
typedef bool step(struct pickle *pickle);

/* --- bytes of the pickle --- */

/* Goes over `count` bytes. NULL: there are not so many. */
static const unsigned char *take(struct pickle *pickle, size_t count)
{
    const unsigned char *taken = pickle->next;
    if ((size_t)(pickle->end - taken) < count)
        return NULL;
    pickle->next += count;
    return taken;
}

/* An unsigned number of up to eight bytes, the lowest first. */
static bool take_number(struct pickle *pickle, size_t size, uint64_t *number)
{
    const unsigned char *bytes = take(pickle, size);
    *number = 0;
    for (size_t i = 0; bytes && i < size; i++)
        *number |= (uint64_t)bytes[i] << (8 * i);
    return bytes != NULL;
}

/* Goes over a line. False: it does not end. */
static bool take_line(struct pickle *pickle, weir_part *line)
{
    size_t left = (size_t)(pickle->end - pickle->next);
    const unsigned char *newline = memchr(pickle->next, '\n', left);
    if (!newline)
        return false;
    *line = (weir_part){(const char *)pickle->next, (size_t)(newline - pickle->next)};
    pickle->next = newline + 1;
    return true;
}

/* --- what is put on the stack --- */

static bool push_plain(struct pickle *pickle, enum value_kind kind)
{
    return values_push(pickle->values, kind) != NULL;
}

static bool push_integer(struct pickle *pickle, int64_t number)
{
    struct value *value = values_push(pickle->values, VALUE_INTEGER);
    if (value)
        value->number = number;
    return value != NULL;
}

static bool mark(struct pickle *pickle)
{
    return values_mark(pickle->values);
}

static bool none(struct pickle *pickle)
{
    return push_plain(pickle, VALUE_NONE);
}

static bool empty_list(struct pickle *pickle)
{
    return push_plain(pickle, VALUE_LIST);
}

static bool empty_dictionary(struct pickle *pickle)
{
    return push_plain(pickle, VALUE_DICTIONARY);
}

static bool byte_number(struct pickle *pickle)
{
    uint64_t number;
    return take_number(pickle, 1, &number) && push_integer(pickle, (int64_t)number);
}

static bool short_number(struct pickle *pickle)
{
    uint64_t number;
    return take_number(pickle, 2, &number) && push_integer(pickle, (int64_t)number);
}

static bool number(struct pickle *pickle)
{
    uint64_t bits;
    return take_number(pickle, 4, &bits) && push_integer(pickle, (int32_t)(uint32_t)bits);
}

/* As JSON has them: no zeros before it, no plus. */
static bool is_number(weir_part digits)
{
    size_t sign = digits.length > 0 && digits.text[0] == '-';
    if (digits.length == sign || (digits.text[sign] == '0' && digits.length > 1))
        return false;
    for (size_t i = sign; i < digits.length; i++)
        if (digits.text[i] < '0' || digits.text[i] > '9')
            return false;
    return true;
}

/* A number in decimal digits, or as "00" or "01" a boolean. */
static bool decimal(struct pickle *pickle)
{
    weir_part line;
    if (!take_line(pickle, &line))
        return false;
    if (line.length == 2 && line.text[0] == '0' && (line.text[1] == '0' || line.text[1] == '1'))
        return push_plain(pickle, line.text[1] == '1' ? VALUE_TRUE : VALUE_FALSE);
    return is_number(line) && values_push_text(pickle->values, VALUE_DIGITS, line);
}

/* The same with an L behind it. */
static bool long_decimal(struct pickle *pickle)
{
    weir_part line;
    if (!take_line(pickle, &line) || line.length == 0 || line.text[line.length - 1] != 'L')
        return false;
    line.length--;
    return is_number(line) && values_push_text(pickle->values, VALUE_DIGITS, line);
}

/* A double, the highest byte first. */
static bool real(struct pickle *pickle)
{
    const unsigned char *bytes = take(pickle, 8);
    struct value *value = bytes ? values_push(pickle->values, VALUE_REAL) : NULL;
    uint64_t bits = 0;
    if (!value)
        return false;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&value->real, &bits, sizeof bits);
    return true;
}

static bool text_of(struct pickle *pickle, size_t size)
{
    uint64_t length;
    if (!take_number(pickle, size, &length))
        return false;
    const unsigned char *text = take(pickle, (size_t)length);
    return text && values_push_text(pickle->values, VALUE_TEXT, (weir_part){(const char *)text, (size_t)length});
}

/* Also Python 2's long texts, which are bytes. */
static bool text(struct pickle *pickle)
{
    return text_of(pickle, 4);
}

/* Python 2's. */
static bool short_text(struct pickle *pickle)
{
    return text_of(pickle, 1);
}

/* --- what is put into others --- */

static bool append_one(struct pickle *pickle)
{
    return values_fill(pickle->values, 1, VALUE_LIST);
}

static bool append_all(struct pickle *pickle)
{
    return values_fill_from_mark(pickle->values, VALUE_LIST);
}

static bool set_one(struct pickle *pickle)
{
    return values_fill(pickle->values, 2, VALUE_DICTIONARY);
}

static bool set_all(struct pickle *pickle)
{
    return values_fill_from_mark(pickle->values, VALUE_DICTIONARY);
}

static bool tuple(struct pickle *pickle)
{
    return values_tuple(pickle->values);
}

/* --- the memo --- */

static bool put_byte(struct pickle *pickle)
{
    uint64_t place;
    return take_number(pickle, 1, &place) && values_remember(pickle->values, place);
}

static bool put_long(struct pickle *pickle)
{
    uint64_t place;
    return take_number(pickle, 4, &place) && values_remember(pickle->values, place);
}

static bool get_byte(struct pickle *pickle)
{
    uint64_t place;
    return take_number(pickle, 1, &place) && values_recall(pickle->values, place);
}

static bool get_long(struct pickle *pickle)
{
    uint64_t place;
    return take_number(pickle, 4, &place) && values_recall(pickle->values, place);
}

/* --- bytes, which protocol 1 writes as a call --- */

static bool is_line(weir_part line, const char *text)
{
    return line.length == strlen(text) && memcmp(line.text, text, line.length) == 0;
}

/* The only two that are known, and they are not looked up, let alone called. */
static bool global(struct pickle *pickle)
{
    weir_part module, name;
    if (!take_line(pickle, &module) || !take_line(pickle, &name))
        return false;
    if (is_line(module, "_codecs") && is_line(name, "encode"))
        return push_plain(pickle, VALUE_ENCODE);
    return is_line(module, "__builtin__") && is_line(name, "bytes") && push_plain(pickle, VALUE_BYTES);
}

/* The arguments (text, "latin1"), which are how Python writes bytes: they are shown as that text. */
static bool are_bytes(const struct values *values, const struct value *arguments, weir_part *text)
{
    const struct value *first = &values->value[arguments->first], *second = &values->value[first->next];
    if (arguments->first == NOWHERE || first->next == NOWHERE || second->next != NOWHERE)
        return false;
    *text = first->text;
    return first->kind == VALUE_TEXT && second->kind == VALUE_TEXT && is_line(second->text, "latin1");
}

static bool reduce(struct pickle *pickle)
{
    struct values *values = pickle->values;
    weir_part text = {"", 0};
    if (values->depth < 2 || values_top(values) == NOWHERE)
        return false;
    const struct value *called = &values->value[values->stack[values->depth - 2]];
    const struct value *arguments = &values->value[values_top(values)];
    bool is_empty = called->kind == VALUE_BYTES && arguments->kind == VALUE_LIST && arguments->first == NOWHERE;
    bool is_encoded = called->kind == VALUE_ENCODE && arguments->kind == VALUE_LIST;
    if (!is_empty && !(is_encoded && are_bytes(values, arguments, &text)))
        return false;
    values->depth -= 2;
    return values_push_text(values, VALUE_TEXT, text);
}

static step *const steps[256] = {
    ['('] = mark,        [')'] = empty_list,   [']'] = empty_list,   ['}'] = empty_dictionary,
    ['N'] = none,        ['I'] = decimal,      ['L'] = long_decimal, ['J'] = number,
    ['K'] = byte_number, ['M'] = short_number, ['G'] = real,         ['X'] = text,
    ['T'] = text,        ['U'] = short_text,   ['a'] = append_one,   ['e'] = append_all,
    ['s'] = set_one,     ['u'] = set_all,      ['t'] = tuple,        ['q'] = put_byte,
    ['r'] = put_long,    ['h'] = get_byte,     ['j'] = get_long,     ['c'] = global,
    ['R'] = reduce,
};

bool values_read(struct values *values, const char *pickle, size_t length)
{
    struct pickle reading = {values, (const unsigned char *)pickle, (const unsigned char *)pickle + length};
    values_begin(values);
    while (reading.next < reading.end && *reading.next != '.') {
        step *known = steps[*reading.next++];
        if (!known || !known(&reading))
            return false;
    }
    values->root = values_top(values);
    return reading.next + 1 == reading.end && values->depth == 1 && values->root != NOWHERE &&
           value_is_plain(&values->value[values->root]);
}
