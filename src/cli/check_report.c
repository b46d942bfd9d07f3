/* What came of a check: a table for people, JSON for scripts. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "figures.h"

static const char *const results[] = {
    [CHECK_ANSWERS] = "answers",         [CHECK_REFUSED] = "refused",    [CHECK_SILENT] = "silent",
    [CHECK_UNREACHABLE] = "unreachable", [CHECK_UNKNOWN] = "no address", [CHECK_FAILED] = "failed",
};

static const char *family_of(const weir_address *address)
{
    if (address->length == 0)
        return "-";
    return address->any.sa_family == AF_INET ? "IPv4" : address->any.sa_family == AF_INET6 ? "IPv6" : "Unix";
}

static const char *address_of(const struct check_target *target, char *text, size_t size)
{
    return target->address.length ? weir_address_text(&target->address, text, size) : "-";
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Of the tries that were answered, of which there is one at least; they are sorted. */
static int64_t median_of(const struct check_target *target)
{
    return target->times[target->answered / 2];
}

/* --- the table --- */

enum { COLUMNS = 7, CELL = 420 };

struct row {
    char cells[COLUMNS][CELL];
};

/* The columns that are shown: with one try, a time is all there is to tell of times. */
static size_t column_count(const struct check *check)
{
    return check->count > 1 ? COLUMNS : 5;
}

static void fill_times(const struct check_target *target, struct row *row)
{
    size_t count = (size_t)target->answered;
    const int64_t times[] = {count ? target->times[0] : 0, count ? median_of(target) : 0,
                             count ? target->times[count - 1] : 0};
    for (int i = 0; i < 3; i++)
        if (count)
            figure_duration((double)times[i], row->cells[4 + i]);
        else
            strcpy(row->cells[4 + i], "-");
}

static void fill_row(const struct check_target *target, struct row *row)
{
    char text[WEIR_ADDRESS_TEXT];
    weir_escape(target->named, strlen(target->named), row->cells[0], CELL);
    snprintf(row->cells[1], CELL, "%s", address_of(target, text, sizeof text));
    snprintf(row->cells[2], CELL, "%s", family_of(&target->address));
    if (target->answered > 0 && target->answered < target->tries)
        snprintf(row->cells[3], CELL, "%s, %" PRId64 " of %" PRId64 " answered", results[target->result],
                 target->answered, target->tries);
    else
        snprintf(row->cells[3], CELL, "%s", results[target->result]);
    fill_times(target, row);
}

static void widen(size_t widths[COLUMNS], const struct row *row)
{
    for (int i = 0; i < COLUMNS; i++)
        if (strlen(row->cells[i]) > widths[i])
            widths[i] = strlen(row->cells[i]);
}

static void print_row(const struct row *row, const size_t widths[COLUMNS], size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%-*s%s", i + 1 < count ? (int)widths[i] : 0, row->cells[i], i + 1 < count ? "  " : "\n");
}

static int print_table(const struct check *check)
{
    struct row *rows = calloc(check->target_count + 1, sizeof *rows);
    size_t widths[COLUMNS] = {0};
    if (!rows)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "check", "", NULL);
    rows[0] = (struct row){{"ENDPOINT", "ADDRESS", "FAMILY", "RESULT", "TIME", "MEDIAN", "LONGEST"}};
    if (check->count > 1)
        strcpy(rows[0].cells[4], "SHORTEST");
    for (size_t i = 0; i < check->target_count; i++)
        fill_row(&check->targets[i], &rows[i + 1]);
    for (size_t i = 0; i <= check->target_count; i++)
        widen(widths, &rows[i]);
    for (size_t i = 0; i <= check->target_count; i++)
        print_row(&rows[i], widths, column_count(check));
    free(rows);
    return 0;
}

/* --- JSON --- */

/* A string, of text in which what is no printable text is escaped as \xHH. */
static void print_string(const char *text)
{
    char shown[1200];
    weir_escape(text, strlen(text), shown, sizeof shown);
    putchar('"');
    for (const char *at = shown; *at; at++) {
        if (*at == '"' || *at == '\\')
            putchar('\\');
        putchar(*at);
    }
    putchar('"');
}

static void print_member(const char *name, const char *text)
{
    printf("\"%s\":", name);
    print_string(text);
    putchar(',');
}

static void print_json(const struct check_target *target)
{
    char text[WEIR_ADDRESS_TEXT];
    size_t count = (size_t)target->answered;
    putchar('{');
    print_member("endpoint", target->named);
    if (target->address.length) {
        print_member("address", address_of(target, text, sizeof text));
        print_member("family", family_of(&target->address));
    }
    print_member("result", results[target->result]);
    if (*target->reason)
        print_member("reason", target->reason);
    if (count)
        printf("\"seconds\":{\"shortest\":%.9f,\"median\":%.9f,\"longest\":%.9f},", (double)target->times[0] / 1e9,
               (double)median_of(target) / 1e9, (double)target->times[count - 1] / 1e9);
    printf("\"tries\":%" PRId64 ",\"answered\":%" PRId64 "}\n", target->tries, target->answered);
}

/* --- both --- */

/* Why, for people: a line on stderr for each target that does not answer as it should. */
static void tell_reason(const struct check_target *target)
{
    if (*target->reason)
        fprintf(stderr, "weir: %s\n", target->reason);
}

int check_report(const struct check *check)
{
    int status = STATUS_DONE;
    for (size_t i = 0; i < check->target_count; i++) {
        struct check_target *target = &check->targets[i];
        qsort(target->times, (size_t)target->answered, sizeof *target->times, compare_times);
        if (target->result != CHECK_ANSWERS)
            status = STATUS_NETWORK;
        if (check->json)
            print_json(target);
        else
            tell_reason(target);
    }
    if (!check->json && print_table(check) < 0)
        return failed();
    int finished = finish_stdout();
    return finished == STATUS_DONE ? status : finished;
}
