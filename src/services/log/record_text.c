/* A record as a line of text, in Python's layout `%(asctime)s %(name)-12s %(levelname)8s\t%(message)s`. */
#include <string.h>

#include "record_inside.h"

enum { NAME_WIDTH = 12, LEVEL_WIDTH = 8 };

/* How many characters there are from `begin` on, as Python counts them. */
static size_t characters(const struct output *output, size_t begin)
{
    size_t count = 0;
    for (size_t i = begin; i < output->length; i++)
        count += (output->text[i] & 0xc0) != 0x80;
    return count;
}

static void put_blanks(struct output *output, size_t count, size_t width)
{
    for (; count < width; count++)
        put_character(output, ' ');
}

/* "2026-11-21 07:15:00,123" */
static void put_time(struct record_writer *writer, const struct moment *time, struct output *output)
{
    const struct second *second = second_of(&writer->seconds[0], time->seconds);
    put(output, second->date, sizeof second->date - 1);
    put_character(output, ' ');
    put(output, second->clock, sizeof second->clock - 1);
    put_character(output, ',');
    put_digits(output, time->nanoseconds / 1000000, 3);
}

/* The record's own with the sender's host, else the sender. The service itself has no sender. */
static void put_name(const struct record_writer *writer, const struct record *record, struct output *output)
{
    size_t begin = output->length;
    put_escaped(output, record->name.text, record->name.length);
    if (record->kind != RECORD_OWN) {
        if (record->name.length > 0)
            put_character(output, '@');
        put_string(output, record->name.length > 0 ? writer->sender.host : writer->sender.text);
    }
    put_blanks(output, characters(output, begin), NAME_WIDTH);
}

/* Right-aligned; it is rarely wider, and rarely beyond ASCII. */
static void put_level(weir_part level, struct output *output)
{
    struct output trial = *output;
    put_escaped(&trial, level.text, level.length);
    put_blanks(output, characters(&trial, output->length), LEVEL_WIDTH);
    put_escaped(output, level.text, level.length);
}

/* On a line of its own, as Python's formatter puts it. */
static void put_detail(weir_part before, weir_part detail, struct output *output)
{
    if (detail.length == 0)
        return;
    if (before.length == 0 || before.text[before.length - 1] != '\n')
        put_escaped(output, "\n", 1);
    put_escaped(output, detail.text, detail.length);
}

/* A syslog record without a message says what it has to say in its structured data. */
static void put_message(const struct record *record, struct output *output)
{
    weir_part last = record->message.length > 0 ? record->message : record->structured;
    put_escaped(output, last.text, last.length);
    for (int i = 0; i < 2; i++) {
        put_detail(last, record->details[i], output);
        if (record->details[i].length > 0)
            last = record->details[i];
    }
}

void put_text_line(struct record_writer *writer, const struct record *record, struct output *output)
{
    put_time(writer, &record->time, output);
    put_character(output, ' ');
    put_name(writer, record, output);
    put_character(output, ' ');
    put_level(record->level, output);
    put_character(output, '\t');
    put_message(record, output);
    if (record->truncated)
        put_string(output, " [truncated]");
}
