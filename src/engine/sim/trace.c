/*
 * The trace: who did what, when, to what, with how much and which bytes. All of it goes into the run's digest, by which equal
 * runs are known; as text it is written only where somebody reads it.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/text.h"
#include "engine/sim/sim.h"

enum {
    BYTES_SHOWN = 32,
    BYTES_DIGESTED = 128, /* at each end of what was transferred: a run is to stay cheap */
    NOTE = 512,
    LINE = 1024,
    WHO = 20, /* the columns' widths; what is longer moves the rest of its line */
    VERB = 10,
    OBJECT = 40,
    NUMBER = 7,
};

/* --- the digest --- */

/* A step of a multiplicative hash over words; the shift brings the upper half, which the product mixes best, down. */
static void mix(struct weir__sim *sim, uint64_t word)
{
    uint64_t digest = (sim->result.digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    sim->result.digest = digest ^ digest >> 32;
}

/* Bytes as words, which are the same on machines of either order. */
static void mix_bytes(struct weir__sim *sim, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, (const char *)bytes + at, size - at < sizeof word ? size - at : sizeof word);
        mix(sim, le64toh(word));
    }
}

static void mix_text(struct weir__sim *sim, const char *text)
{
    size_t length = strlen(text);
    mix(sim, length);
    mix_bytes(sim, text, length);
}

static void mix_ends(struct weir__sim *sim, const void *bytes, size_t size)
{
    mix(sim, size);
    if (!bytes)
        return;
    size_t left = size;
    if (size > 2 * (size_t)BYTES_DIGESTED) {
        mix_bytes(sim, bytes, BYTES_DIGESTED);
        left = BYTES_DIGESTED;
    }
    mix_bytes(sim, (const char *)bytes + size - left, left);
}

/* The fiber that acts; "" where an event is handed out. */
static const char *actor(void)
{
    const weir_fiber *fiber = weir_self();
    return fiber ? weir_fiber_name(fiber) : "";
}

static void mix_who(struct weir__sim *sim, const struct weir_sim_host *host)
{
    mix(sim, (uint64_t)sim->now);
    mix(sim, host ? host->number : 0);
    mix_text(sim, actor());
}

/* --- the text --- */

/* Blanks up to a column, and one at least. */
static void pad(struct weir__text *line, size_t column)
{
    size_t blanks = line->length < column ? column - line->length : 1;
    while (blanks-- > 0)
        weir__text_put_char(line, ' ');
}

/* "   1.234567890  server/echo         recv      " */
static void put_beginning(struct weir__text *line, const struct weir__sim *sim, const struct weir_sim_host *host,
                          const char *verb)
{
    char time[40];
    int64_t since = sim->now - WEIR__SIM_BEGINNING;
    snprintf(time, sizeof time, "%4" PRId64 ".%09" PRId64 "  ", since / WEIR_S(1), since % WEIR_S(1));
    weir__text_put(line, time);
    size_t column = line->length;
    weir__text_put(line, host ? host->name : "-");
    if (*actor()) {
        weir__text_put_char(line, '/');
        weir__text_put(line, actor());
    }
    pad(line, column += WHO);
    weir__text_put(line, verb);
    pad(line, column + VERB);
}

/* "tcp#12 10.0.0.1:7<10.0.0.2:49152" */
static void put_object(struct weir__text *line, const struct weir__sim_object *object)
{
    char description[300] = "";
    weir__text_put(line, object->kind->name);
    weir__text_put_char(line, '#');
    weir__text_put_number(line, object->number);
    if (object->kind->describe)
        object->kind->describe(object, description, sizeof description);
    if (*description)
        weir__text_put_char(line, ' ');
    weir__text_put(line, description);
}

/* A negative number is an errno: by its name. */
static void put_number(struct weir__text *line, int64_t number)
{
    const char *name = number < 0 && number > -4096 ? strerrorname_np((int)-number) : NULL;
    if (name) {
        weir__text_put(line, name);
        return;
    }
    if (number < 0)
        weir__text_put_char(line, '-');
    weir__text_put_number(line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void put_bytes(struct weir__text *line, const char *bytes, size_t size)
{
    char shown[BYTES_SHOWN * 4 + 4];
    size_t cut = size < BYTES_SHOWN ? size : BYTES_SHOWN;
    size_t length = weir__escape(bytes, cut, size > cut, WEIR__ESCAPE_BACKSLASH, shown, sizeof shown);
    weir__text_put_char(line, '"');
    weir__text_put_bytes(line, shown, length);
    weir__text_put_char(line, '"');
}

/* One line, to its end: blanks that only align go, and the reader may be slow. It may also have gone, which is its affair. */
static void write_line(const struct weir__sim *sim, struct weir__text *line)
{
    while (line->length > 0 && line->data[line->length - 1] == ' ')
        line->length--;
    line->data[line->length++] = '\n'; /* in place of the NUL */
    for (size_t done = 0; done < line->length;) {
        ssize_t written = weir__kernel.write(sim->trace, line->data + done, line->length - done);
        struct pollfd trace = {sim->trace, POLLOUT, 0};
        if (written >= 0)
            done += (size_t)written;
        else if (errno == EAGAIN)
            weir__kernel.poll(&trace, 1, -1);
        else if (errno != EINTR)
            return;
    }
}

static void show(const struct weir__sim *sim, const struct weir_sim_host *host, const struct weir__sim_object *object,
                 const char *verb, int64_t number, const void *bytes, size_t size)
{
    char data[LINE];
    struct weir__text line = weir__text(data, sizeof data);
    put_beginning(&line, sim, host, verb);
    size_t column = line.length;
    if (object)
        put_object(&line, object);
    pad(&line, column += OBJECT);
    put_number(&line, number);
    if (bytes && size) {
        pad(&line, column + NUMBER);
        put_bytes(&line, bytes, size);
    }
    write_line(sim, &line);
}

static void show_text(const struct weir__sim *sim, const struct weir_sim_host *host, const char *verb, const char *text)
{
    char data[LINE], shown[NOTE + 4];
    struct weir__text line = weir__text(data, sizeof data);
    put_beginning(&line, sim, host, verb);
    weir__text_put_bytes(&line, shown, weir__escape(text, strlen(text), false, 0, shown, sizeof shown));
    write_line(sim, &line);
}

/* --- what is called --- */

void weir__sim_trace(const struct weir__sim_object *object, const char *verb, int64_t number, const void *bytes,
                     size_t size)
{
    struct weir__sim *sim = weir__sim_here;
    if (!sim)
        return;
    int saved = errno;
    const struct weir_sim_host *host = weir__sim_host();
    mix_who(sim, host);
    mix_text(sim, verb);
    mix(sim, object ? object->number : 0);
    mix(sim, (uint64_t)number);
    mix_ends(sim, bytes, size);
    if (sim->trace >= 0)
        show(sim, host, object, verb, number, bytes, size);
    errno = saved;
}

void weir__sim_trace_text(const char *verb, const char *text)
{
    struct weir__sim *sim = weir__sim_here;
    if (!sim)
        return;
    int saved = errno;
    const struct weir_sim_host *host = weir__sim_host();
    mix_who(sim, host);
    mix_text(sim, verb);
    mix_text(sim, text);
    if (sim->trace >= 0)
        show_text(sim, host, verb, text);
    errno = saved;
}

void weir_sim_note(const char *format, ...)
{
    char text[NOTE];
    va_list arguments;
    if (!weir__sim_here)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir__sim_trace_text("note", text);
}
