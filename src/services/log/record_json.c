/* A record as an object of JSON in one line, with every field that it has. */
#include <string.h>

#include "record_inside.h"

void put_quoted(struct output *output, const char *text, size_t length)
{
    put_character(output, '"');
    put_escaped(output, text, length);
    put_character(output, '"');
}

void put_comma(struct output *output)
{
    if (output->length > 0 && output->text[output->length - 1] != '{')
        put_character(output, ',');
}

void put_key(struct output *output, weir_part key)
{
    put_comma(output);
    put_quoted(output, key.text, key.length);
    put_character(output, ':');
}

static void put_own_key(struct output *output, const char *key)
{
    put_key(output, (weir_part){key, strlen(key)});
}

static void put_member(struct output *output, const char *key, weir_part value)
{
    if (value.length == 0)
        return;
    put_own_key(output, key);
    put_quoted(output, value.text, value.length);
}

/* "2026-11-21T07:15:00.123456+01:00" */
static void put_moment(struct output *output, const char *key, struct second *seconds, const struct moment *moment)
{
    const struct second *second = second_of(seconds, moment->seconds);
    put_own_key(output, key);
    put_character(output, '"');
    put(output, second->date, sizeof second->date - 1);
    put_character(output, 'T');
    put(output, second->clock, sizeof second->clock - 1);
    put_character(output, '.');
    put_digits(output, moment->nanoseconds / 1000, 6);
    put(output, second->zone, sizeof second->zone - 1);
    put_character(output, '"');
}

/* As in a line of text: the record's own with the sender's host. */
static void put_name(const struct record_writer *writer, const struct record *record, struct output *output)
{
    put_own_key(output, "name");
    put_character(output, '"');
    put_escaped(output, record->name.text, record->name.length);
    if (record->kind != RECORD_OWN) {
        const char *sender = record->name.length > 0 ? writer->sender.host : writer->sender.text;
        if (record->name.length > 0)
            put_character(output, '@');
        put_escaped(output, sender, strlen(sender));
    }
    put_character(output, '"');
}

static void put_syslog(const struct record *record, struct output *output)
{
    static const char *const facilities[] = {"kern",   "user",   "mail",   "daemon", "auth",     "syslog",
                                             "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
                                             "ntp",    "audit",  "alert",  "clock",  "local0",   "local1",
                                             "local2", "local3", "local4", "local5", "local6",   "local7"};
    if (record->priority == NO_PRIORITY)
        return;
    const char *facility = facilities[record->priority / 8];
    put_member(output, "facility", (weir_part){facility, strlen(facility)});
    put_own_key(output, "severity");
    put_digits(output, record->priority % 8, 1);
    put_member(output, "host", record->host);
    put_member(output, "tag", record->name);
    put_member(output, "process", record->process);
    put_member(output, "id", record->id);
    if (record->structured.length > 0) {
        put_own_key(output, "structured");
        put_structured(output, record->structured);
    }
}

void put_json_line(struct record_writer *writer, const struct record *record, const struct moment *arrived,
                   struct output *output)
{
    const char *kind = record_kind_name(record->kind), *sender = writer->sender.text;
    put_character(output, '{');
    put_moment(output, "time", &writer->seconds[0], &record->time);
    put_moment(output, "received", &writer->seconds[1], arrived);
    put_member(output, "kind", (weir_part){kind, strlen(kind)});
    if (record->kind != RECORD_OWN)
        put_member(output, "from", (weir_part){sender, strlen(sender)});
    put_name(writer, record, output);
    put_member(output, "level", record->level);
    put_own_key(output, "message");
    put_quoted(output, record->message.text, record->message.length);
    put_syslog(record, output);
    if (record->values) {
        put_own_key(output, "record");
        put_values(output, record->values);
    }
    if (record->truncated)
        put_string(output, ",\"truncated\":true");
    put_character(output, '}');
}
