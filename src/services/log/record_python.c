/* Python's DatagramHandler: four bytes of length, the highest first, and the pickle of a log record's dictionary. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "record_inside.h"

enum { LENGTH_BYTES = 4 };

static size_t length_of(const char *data)
{
    const unsigned char *bytes = (const unsigned char *)data;
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* A pickle of protocol 1 begins with an empty dictionary, a later one with the number of its protocol. */
bool is_pickle(const char *data, size_t length, bool truncated)
{
    if (length <= LENGTH_BYTES || (data[LENGTH_BYTES] != '}' && data[LENGTH_BYTES] != '\x80'))
        return false;
    size_t said = length_of(data), there = length - LENGTH_BYTES;
    return truncated ? said > there : said == there;
}

/* --- its fields --- */

enum field { NAME, MESSAGE, LEVEL_NAME, LEVEL_NUMBER, CREATED, MILLISECONDS, TRACEBACK, STACK, FIELDS };

static const weir_part keys[FIELDS] = {
    [NAME] = {"name", 4},
    [MESSAGE] = {"msg", 3},
    [LEVEL_NAME] = {"levelname", 9},
    [LEVEL_NUMBER] = {"levelno", 7},
    [CREATED] = {"created", 7},
    [MILLISECONDS] = {"msecs", 5},
    [TRACEBACK] = {"exc_text", 8},
    [STACK] = {"stack_info", 10},
};

static void find_field(const struct value *key, const struct value *value, const struct value *fields[FIELDS])
{
    for (int i = 0; i < FIELDS; i++)
        if (key->text.length == keys[i].length && memcmp(key->text.text, keys[i].text, keys[i].length) == 0)
            fields[i] = value;
}

/* In one pass; of several with the same key it is the last, as in Python. NULL: there is none. */
static void find_fields(const struct values *values, const struct value *fields[FIELDS])
{
    memset(fields, 0, FIELDS * sizeof *fields);
    for (value_place at = values->value[values->root].first; at != NOWHERE;) {
        const struct value *key = &values->value[at], *value = &values->value[key->next];
        if (key->kind == VALUE_TEXT)
            find_field(key, value, fields);
        at = value->next;
    }
}

static weir_part text_of(const struct value *value)
{
    return value && value->kind == VALUE_TEXT ? value->text : (weir_part){NULL, 0};
}

static bool number_of(const struct value *value, double *number)
{
    if (!value || (value->kind != VALUE_REAL && value->kind != VALUE_INTEGER))
        return false;
    *number = value->kind == VALUE_REAL ? value->real : (double)value->number;
    return true;
}

/* --- the level --- */

static const char *known_level(int64_t number)
{
    static const char *const names[] = {"NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    return number >= 0 && number <= 50 && number % 10 == 0 ? names[number / 10] : NULL;
}

/* Its name, else that of its number, as Python has them. */
static weir_part level_of(struct record_writer *writer, const struct value *const fields[FIELDS])
{
    weir_part name = text_of(fields[LEVEL_NAME]);
    const struct value *number = fields[LEVEL_NUMBER];
    if (name.length > 0 || !number || number->kind != VALUE_INTEGER)
        return name;
    const char *known = known_level(number->number);
    if (known)
        return (weir_part){known, strlen(known)};
    snprintf(writer->level, sizeof writer->level, "Level %" PRId64, number->number);
    return (weir_part){writer->level, strlen(writer->level)};
}

/* --- the time --- */

/*
 * `created` is seconds; `msecs` is what Python shows of their fraction, which may be a millisecond off what the double
 * says. Without a time that can be shown the moment stays.
 */
static void read_created(const struct value *const fields[FIELDS], struct moment *moment)
{
    double created, milliseconds;
    if (!number_of(fields[CREATED], &created) || !(created >= 0 && created < 253402214400.0))
        return;
    moment->seconds = (int64_t)created;
    moment->nanoseconds = (int64_t)((created - (double)moment->seconds) * 1e9);
    if (number_of(fields[MILLISECONDS], &milliseconds) && milliseconds >= 0 && milliseconds < 1000 &&
        moment->nanoseconds / 1000000 != (int64_t)milliseconds)
        moment->nanoseconds = (int64_t)milliseconds * 1000000;
}

bool read_python(struct record_writer *writer, const char *data, size_t length, struct record *record)
{
    struct values *values = &writer->values;
    const struct value *fields[FIELDS];
    if (!values_read(values, data + LENGTH_BYTES, length - LENGTH_BYTES) ||
        values->value[values->root].kind != VALUE_DICTIONARY)
        return false;
    find_fields(values, fields);
    if (!fields[MESSAGE] || fields[MESSAGE]->kind != VALUE_TEXT)
        return false;
    record->kind = RECORD_PYTHON;
    record->message = fields[MESSAGE]->text;
    record->name = text_of(fields[NAME]);
    record->level = level_of(writer, fields);
    record->details[0] = text_of(fields[TRACEBACK]);
    record->details[1] = text_of(fields[STACK]);
    record->values = values;
    read_created(fields, &record->time);
    return true;
}
