/*
 * The error of a fiber or thread: one record at a place that lives as long as the fiber or thread does.
 *
 * A record is allocated at the first error and stays where it is; its strings lie in it, or beside it where they are
 * long. Without memory for either nothing is lost but length: strings are cut to the room in the record, and a place
 * that has no record makes do with one that the thread always has.
 */
#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum {
    STEP_LENGTH = 31,
    SUBJECT_LENGTH = 400, /* of the longest endpoint, see weir/endpoint.h */
    REASON_LENGTH = 300,
    RECORD_ROOM = 176, /* for an ordinary sentence and its parts; the record is then 256 bytes */
};

struct weir__error {
    struct weir_error_info info;
    char *longer; /* allocated; NULL as long as everything fitted into `room` */
    size_t longer_size;
    char room[RECORD_ROOM];
};

/* The parts of a sentence, copied: what they are made of may be the strings of the record that is overwritten. */
struct parts {
    char step[STEP_LENGTH + 1];
    char subject[SUBJECT_LENGTH + 1];
    const char *reason;
};

static _Thread_local struct weir__error *thread_record __attribute__((tls_model("initial-exec")));
static _Thread_local struct weir__error spare_record __attribute__((tls_model("initial-exec")));

static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end_key;
static int thread_end_error;

struct weir__error **weir__error_thread_place(void)
{
    return &thread_record;
}

struct weir__error **(*_Atomic weir__error_place)(void) = weir__error_thread_place;

void weir__error_free(struct weir__error *error)
{
    if (error)
        free(error->longer);
    free(error);
}

static void thread_ended(void *record)
{
    thread_record = NULL;
    weir__error_free(record);
}

static void make_thread_end_key(void)
{
    thread_end_error = pthread_key_create(&thread_end_key, thread_ended);
}

/* Has the record freed at the thread's end. Returns 0 or an error number. */
static int free_at_thread_end(struct weir__error *record)
{
    pthread_once(&thread_end_once, make_thread_end_key);
    return thread_end_error ? thread_end_error : pthread_setspecific(thread_end_key, record);
}

static struct weir__error *new_record(struct weir__error **place)
{
    struct weir__error *record = calloc(1, sizeof *record);
    if (!record)
        return NULL;
    if (place == &thread_record && free_at_thread_end(record) != 0) {
        free(record);
        return NULL;
    }
    return *place = record;
}

/* The record to write to. Never NULL. */
static struct weir__error *own_record(void)
{
    struct weir__error **place = weir__error_place();
    struct weir__error *record = *place;
    if (!record)
        record = new_record(place);
    return record ? record : &spare_record;
}

/* The record to read; one without an error before the first. */
static struct weir__error *last_record(void)
{
    struct weir__error **place = weir__error_place();
    return *place ? *place : &spare_record;
}

/* Makes the memory beside the record `size` bytes; leaves it as it is where there is none. */
static void grow(struct weir__error *record, size_t size)
{
    char *longer = malloc(size);
    if (!longer)
        return;
    free(record->longer);
    record->longer = longer;
    record->longer_size = size;
}

/* Room for `size` bytes, or less where there is no memory: what the record has. */
static struct weir__text room_for(struct weir__error *record, size_t size)
{
    if (size > sizeof record->room && size > record->longer_size)
        grow(record, size);
    if (size <= sizeof record->room || !record->longer)
        return weir__text(record->room, sizeof record->room);
    return weir__text(record->longer, record->longer_size);
}

/* Ends a string within a text, the next begins behind its NUL. Returns where it began. */
static const char *end_string(struct weir__text *text, size_t began)
{
    weir__text_put_char(text, '\0');
    return text->data + began;
}

static const char *put_string(struct weir__text *text, const char *string)
{
    size_t began = text->length;
    weir__text_put(text, string);
    return end_string(text, began);
}

/* The sentence comes first: where there is too little room it is the one that is worth most. */
static void write_strings(struct weir__error *record, const struct parts *parts)
{
    size_t step = strlen(parts->step);
    size_t subject = strlen(parts->subject);
    size_t reason = strlen(parts->reason);
    /* All of it twice, with the sentence's " " and ": " and four NULs. */
    struct weir__text text = room_for(record, 2 * (step + subject + reason) + sizeof " : ....");

    weir__text_put_bytes(&text, parts->step, step);
    if (step > 0 && subject > 0)
        weir__text_put_char(&text, ' ');
    weir__text_put_bytes(&text, parts->subject, subject);
    if (step + subject > 0)
        weir__text_put(&text, ": ");
    weir__text_put_bytes(&text, parts->reason, reason);
    record->info.sentence = end_string(&text, 0);
    record->info.step = put_string(&text, parts->step);
    record->info.subject = put_string(&text, parts->subject);
    record->info.reason = put_string(&text, parts->reason);
}

static void copy_part(char *to, const char *string, size_t most)
{
    size_t length = string ? strnlen(string, most + 4) : 0;
    length = weir__text_cut(string, length, most);
    memcpy(to, string ? string : "", length);
    to[length] = '\0';
}

/* Sets the caller's error. `reason` may not be a string of its record. Returns -1. */
static int set_error(weir_error_kind kind, int number, const char *step, const char *subject, const char *reason)
{
    struct parts parts;
    parts.reason = reason;
    copy_part(parts.step, step, STEP_LENGTH);
    copy_part(parts.subject, subject, SUBJECT_LENGTH);

    struct weir__error *record = own_record();
    record->info.kind = kind;
    record->info.number = number;
    record->info.transferred = 0;
    write_strings(record, &parts);
    errno = number;
    return -1;
}

/* Whether a text of the system's begins with an ordinary word: not "RFS specific error". */
static bool begins_with_word(const char *text)
{
    return text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z';
}

/* The system's text of an error as it stands in the middle of a sentence; in English whatever the locale. */
static void describe(int number, struct weir__text *text)
{
    const char *system = strerrordesc_np(number);
    if (!system) {
        weir__text_put(text, number < 0 ? "error -" : "error ");
        weir__text_put_number(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
        return;
    }
    weir__text_put(text, system);
    if (begins_with_word(system))
        text->data[0] = (char)(system[0] - 'A' + 'a');
}

static int fail_described(weir_error_kind kind, int number, const char *step, const char *subject)
{
    char reason[64];
    struct weir__text text = weir__text(reason, sizeof reason);
    describe(number, &text);
    return set_error(kind, number, step, subject, reason);
}

/* A function of its own, so that only a caller with a format pays for vsnprintf's stack. */
static int __attribute__((noinline)) WEIR_PRINTF(5, 0)
    fail_formatted(weir_error_kind kind, int number, const char *step, const char *subject, const char *format,
                   va_list arguments)
{
    char reason[REASON_LENGTH + 5];
    int length = vsnprintf(reason, sizeof reason, format, arguments);
    if (length < 0)
        return fail_described(kind, number, step, subject);
    reason[weir__text_cut(reason, strlen(reason), REASON_LENGTH)] = '\0';
    return set_error(kind, number, step, subject, reason);
}

int weir_fail(weir_error_kind kind, int number, const char *step, const char *subject, const char *format, ...)
{
    if (!format)
        return fail_described(kind, number, step, subject);
    va_list arguments;
    va_start(arguments, format);
    int result = fail_formatted(kind, number, step, subject, format, arguments);
    va_end(arguments);
    return result;
}

int weir__fail_system(int number, const char *step, const char *subject)
{
    return fail_described(weir__error_kind_of(number, step), number, step, subject);
}

int weir__fail_deadline(const char *step, const char *subject)
{
    return set_error(WEIR_ERROR_DEADLINE, ETIMEDOUT, step, subject, "timed out");
}

int weir__fail_cancelled(const char *step, const char *subject)
{
    return set_error(WEIR_ERROR_CANCELLED, ECANCELED, step, subject, "cancelled");
}

int weir__fail_busy(const char *step, const char *subject)
{
    return set_error(WEIR_ERROR_BUSY, EBUSY, step, subject, "another fiber or thread is in this call");
}

int weir__fail_memory(const char *step)
{
    return set_error(WEIR_ERROR_MEMORY, ENOMEM, step, NULL, "no memory");
}

int weir__error_transferred(uint64_t transferred)
{
    last_record()->info.transferred = transferred;
    return -1;
}

const weir_error_info *weir_error(void)
{
    static const weir_error_info none = {.step = "", .subject = "", .reason = "", .sentence = ""};
    struct weir__error *record = last_record();
    return record->info.kind == WEIR_ERROR_NONE ? &none : &record->info;
}
