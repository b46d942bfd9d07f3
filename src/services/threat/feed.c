/*
 * The feed as XML; see feed.h. libxml2 tells of each element as it comes and keeps no tree.
 *
 *     <alerts>
 *       <alert start="2011/09/09 13:00" end="2011/09/16 13:00" type="Elevated Threat" link="..."> ... </alert>
 *     </alerts>
 *
 * The times are GMT, the end may be missing; all that is inside of an alert is for people.
 */
#include "feed.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <weir/error.h>

#include "late.h"

struct reading {
    xmlParserCtxtPtr parser;
    struct threat_alerts *alerts;
    size_t depth; /* of the element that we are in; 0: none */
    bool failed;  /* with an error set */
};

/* --- what is wrong --- */

/* The first thing that is wrong counts. */
static void refuse(struct reading *reading, const char *reason)
{
    if (!reading->failed)
        weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "read", "", "%s", reason);
    reading->failed = true;
    xml.stop(reading->parser);
}

static void refuse_named(struct reading *reading, const char *what, const xmlChar *name)
{
    char reason[200];
    snprintf(reason, sizeof reason, "%s <%.60s>", what, (const char *)name);
    refuse(reading, reason);
}

/* The parser's own errors, of which it also tells those that do not hinder it. */
static void on_error(void *arg, xmlErrorPtr error)
{
    struct reading *reading = arg;
    char reason[240];
    const char *message = error->message ? error->message : "no XML";
    if (error->level < XML_ERR_ERROR)
        return;
    snprintf(reason, sizeof reason, "line %d: %.*s", error->line, (int)strcspn(message, "\n"), message);
    if (error->code == XML_ERR_NO_MEMORY && !reading->failed)
        reading->failed = weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "", NULL) < 0;
    refuse(reading, reason);
}

/* What the parser tells of no document in particular, on stderr otherwise: bytes that are not of the encoding named. */
static void on_other_error(void *arg, xmlErrorPtr error)
{
    (void)arg, (void)error;
}

/* --- attributes --- */

/*
 * The value of an attribute without the blanks around it, NUL-terminated; cut where there is no room. False: there is
 * none.
 */
static bool find_attribute(const char *name, int count, const xmlChar **attributes, char *value, size_t size)
{
    for (int i = 0; i < count; i++, attributes += 5) {
        const char *begin = (const char *)attributes[3], *end = (const char *)attributes[4];
        if (strcmp((const char *)attributes[0], name) != 0)
            continue;
        while (begin < end && isspace((unsigned char)*begin))
            begin++;
        while (begin < end && isspace((unsigned char)end[-1]))
            end--;
        snprintf(value, size, "%.*s", (int)(end - begin), begin);
        return true;
    }
    return false;
}

static int number(const char *digits, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

/* Reads "YYYY/MM/DD HH:MM", GMT, a time that there is. */
static bool read_time(const char *text, int64_t *seconds)
{
    static const char form[] = "0000/00/00 00:00";
    for (size_t i = 0; i < sizeof form; i++)
        if (form[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    struct tm time = {
        .tm_year = number(text, 4) - 1900,
        .tm_mon = number(text + 5, 2) - 1,
        .tm_mday = number(text + 8, 2),
        .tm_hour = number(text + 11, 2),
        .tm_min = number(text + 14, 2),
    };
    struct tm same = time;
    *seconds = timegm(&same);
    return same.tm_mon == time.tm_mon && same.tm_mday == time.tm_mday && same.tm_hour == time.tm_hour &&
           same.tm_min == time.tm_min;
}

static bool begins_with_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    return strncasecmp(text, word, length) == 0 && (text[length] == '\0' || isspace((unsigned char)text[length]));
}

static bool ends_with_word(const char *text, const char *word)
{
    size_t length = strlen(text), of_word = strlen(word);
    return length > of_word && strcasecmp(text + length - of_word, word) == 0 &&
           isspace((unsigned char)text[length - of_word - 1]);
}

/* "Elevated Threat", "Imminent Threat"; and "Bulletin", "NTAS Bulletin", for which the documentation has no word. */
static enum threat_level level_of(const char *type)
{
    if (begins_with_word(type, "imminent"))
        return THREAT_IMMINENT;
    if (begins_with_word(type, "elevated"))
        return THREAT_ELEVATED;
    if (begins_with_word(type, "bulletin") || ends_with_word(type, "bulletin"))
        return THREAT_BULLETIN;
    return THREAT_UNKNOWN;
}

static void read_alert(struct reading *reading, int count, const xmlChar **attributes)
{
    struct threat_alert alert = {.level = THREAT_UNKNOWN, .end = INT64_MAX};
    char value[80];
    if (find_attribute("type", count, attributes, value, sizeof value))
        alert.level = level_of(value);
    if (!find_attribute("start", count, attributes, value, sizeof value) || !read_time(value, &alert.start)) {
        refuse(reading, "an alert without a start of the form YYYY/MM/DD HH:MM");
        return;
    }
    if (find_attribute("end", count, attributes, value, sizeof value) && *value && !read_time(value, &alert.end)) {
        refuse(reading, "an alert with an end that is not of the form YYYY/MM/DD HH:MM");
        return;
    }
    if (threat_alerts_add(reading->alerts, alert) < 0) {
        reading->failed = true;
        xml.stop(reading->parser);
    }
}

/* --- what the parser tells --- */

/* NOLINTNEXTLINE(readability-function-size): the parser has as many arguments */
static void on_element(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *space, int space_count,
                       const xmlChar **spaces, int count, int defaulted, const xmlChar **attributes)
{
    (void)prefix, (void)space, (void)space_count, (void)spaces, (void)defaulted;
    struct reading *reading = arg;
    reading->depth++;
    if (reading->failed)
        return;
    if (reading->depth == 1 && strcmp((const char *)name, "alerts") != 0)
        refuse_named(reading, "not a list of alerts, but", name);
    else if (reading->depth == 2 && strcmp((const char *)name, "alert") != 0)
        refuse_named(reading, "among the alerts there is", name);
    else if (reading->depth == 2)
        read_alert(reading, count, attributes);
}

static void on_element_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *space)
{
    (void)name, (void)prefix, (void)space;
    ((struct reading *)arg)->depth--;
}

/* Text among the alerts, "sorry, out of order" perhaps, would leave an empty list. */
static void on_text(void *arg, const xmlChar *text, int length)
{
    struct reading *reading = arg;
    if (reading->failed || reading->depth != 1)
        return;
    for (int i = 0; i < length; i++)
        if (!isspace(text[i])) {
            refuse(reading, "among the alerts there is text");
            return;
        }
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    refuse(arg, "a DOCTYPE, which is refused");
}

/* --- all of it --- */

int threat_feed_prepare(void)
{
    if (late_xml_load() < 0)
        return -1;
    xml.init_parser();
    return 0;
}

static int parse(struct reading *reading, const char *bytes, size_t length)
{
    xmlSAXHandlerPtr handler = reading->parser->sax;
    *handler = (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_element,
        .endElementNs = on_element_end,
        .characters = on_text,
        .cdataBlock = on_text,
        .internalSubset = on_doctype,
        .serror = on_error,
    };
    reading->parser->userData = reading;
    xml.set_error_function(NULL, on_other_error); /* of this thread */
    xml.read_memory(reading->parser, bytes, (int)length, NULL, NULL, XML_PARSE_NONET);
    const xmlParserInput *input = reading->parser->input;
    if (!reading->parser->wellFormed)
        refuse(reading, "no XML");
    if (input && input->cur < input->end) /* it takes a NUL for the end */
        refuse(reading, "something behind the end");
    return reading->failed ? -1 : 0;
}

int threat_feed_read(const char *bytes, size_t length, struct threat_alerts *alerts)
{
    struct reading reading = {.parser = xml.new_context(), .alerts = alerts};
    if (!reading.parser)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "", NULL);
    int result = length > THREAT_FEED_MOST
                     ? weir_fail(WEIR_ERROR_LIMIT, EBADMSG, "read", "", "more than %d bytes", THREAT_FEED_MOST)
                     : parse(&reading, bytes, length);
    xml.free_context(reading.parser);
    return result;
}
