/* Time stamps: RFC 3339's, and RFC 3164's, which have neither year nor zone. */
#include <string.h>
#include <time.h>

#include "record_inside.h"

enum { HOUR = 3600, DAY = 24 * HOUR, EARLY_MOST = 7 * DAY };

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* `month` is 0 to 11. */
static int64_t days_of(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 1 && is_leap(year));
}

/* Days from 1970-01-01, in the Gregorian calendar also before it began. */
static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    static const int64_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t last = year - 1, leaps = last / 4 - last / 100 + last / 400;
    int64_t days = 365 * last + leaps + before[month] + (month > 1 && is_leap(year)) + day - 1;
    return days - 719162; /* those of the years 1 to 1969 */
}

/* --- RFC 3339 --- */

/* The fraction of a second as nanoseconds, of one to nine digits. */
static bool read_fraction(struct rest *rest, int64_t *nanoseconds)
{
    int64_t unit = 1000000000, digit;
    *nanoseconds = 0;
    if (!rest_skip(rest, '.'))
        return true;
    while (unit > 1 && rest_number(rest, 1, &digit)) {
        unit /= 10;
        *nanoseconds += digit * unit;
    }
    return unit < 1000000000;
}

/* How far local time is ahead of UTC, in seconds. */
static bool read_zone(struct rest *rest, int64_t *ahead)
{
    int64_t hours, minutes;
    *ahead = 0;
    if (rest_skip(rest, 'Z'))
        return true;
    bool behind = rest_skip(rest, '-');
    if (!behind && !rest_skip(rest, '+'))
        return false;
    if (!rest_number(rest, 2, &hours) || !rest_skip(rest, ':') || !rest_number(rest, 2, &minutes))
        return false;
    *ahead = (hours * 60 + minutes) * 60 * (behind ? -1 : 1);
    return hours < 24 && minutes < 60;
}

/* Seconds from midnight. A leap second there is none, in RFC 5424. */
static bool read_clock(struct rest *rest, int64_t *seconds)
{
    int64_t hour, minute, second;
    if (!rest_number(rest, 2, &hour) || !rest_skip(rest, ':') || !rest_number(rest, 2, &minute) ||
        !rest_skip(rest, ':') || !rest_number(rest, 2, &second))
        return false;
    *seconds = (hour * 60 + minute) * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}

static bool read_date(struct rest *rest, int64_t *days)
{
    int64_t year, month, day;
    if (!rest_number(rest, 4, &year) || !rest_skip(rest, '-') || !rest_number(rest, 2, &month) ||
        !rest_skip(rest, '-') || !rest_number(rest, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of(year, month - 1))
        return false;
    *days = days_before(year, month - 1, day);
    return true;
}

bool read_moment(struct rest *rest, struct moment *moment)
{
    int64_t days, clock, nanoseconds, ahead;
    if (!read_date(rest, &days) || !rest_skip(rest, 'T') || !read_clock(rest, &clock) ||
        !read_fraction(rest, &nanoseconds) || !read_zone(rest, &ahead))
        return false;
    *moment = (struct moment){days * DAY + clock - ahead, nanoseconds};
    return moment_fits(moment->seconds);
}

/* --- RFC 3164 --- */

static bool read_month(struct rest *rest, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (*month = 0; *month < 12; ++*month) {
        if (rest_length(rest) >= 3 && memcmp(rest->next, names + (size_t)*month * 3, 3) == 0) {
            rest->next += 3;
            return true;
        }
    }
    return false;
}

/* The day has a blank where it has one digit only; some senders have neither, or a zero. */
static bool read_day(struct rest *rest, int64_t *day)
{
    if (rest_skip(rest, ' '))
        return rest_number(rest, 1, day);
    return rest_number(rest, 2, day) || rest_number(rest, 1, day);
}

/* The epoch's seconds of local time in a year. False: it has no such day. */
static bool in_year(int year, int month, int64_t day, int64_t clock, int64_t *seconds)
{
    struct tm local = {.tm_year = year, .tm_mon = month, .tm_mday = (int)day, .tm_isdst = -1};
    if (day < 1 || day > days_of(year + INT64_C(1900), month))
        return false;
    local.tm_hour = (int)(clock / HOUR);
    local.tm_min = (int)(clock / 60 % 60);
    local.tm_sec = (int)(clock % 60);
    *seconds = mktime(&local);
    return true;
}

/* A record may have come late, but early only as far as clocks and zones differ. */
static bool in_last_year(int month, int64_t day, int64_t clock, int64_t arrived, int64_t *seconds)
{
    struct tm now;
    if (!localtime_r(&arrived, &now))
        return false;
    for (int year = now.tm_year + 1; year >= now.tm_year - 1; year--)
        if (in_year(year, month, day, clock, seconds) && *seconds <= arrived + EARLY_MOST)
            return true;
    return false;
}

/* The same stamp within an hour means the same. */
static bool is_known(const struct stamp *stamp, const struct rest *text, int64_t arrived)
{
    return stamp->length > 0 && rest_length(text) >= stamp->length && stamp->hour == arrived / HOUR &&
           memcmp(stamp->text, text->next, stamp->length) == 0;
}

static void keep(struct stamp *stamp, const char *text, size_t length, int64_t arrived, int64_t seconds)
{
    if (length > sizeof stamp->text)
        return;
    *stamp = (struct stamp){.length = length, .hour = arrived / HOUR, .seconds = seconds};
    memcpy(stamp->text, text, length);
}

bool read_stamp(struct record_writer *writer, struct rest *rest, int64_t arrived, struct moment *moment)
{
    const char *begin = rest->next;
    int month;
    int64_t day, clock, seconds = 0;
    if (is_known(&writer->stamp, rest, arrived)) {
        *moment = (struct moment){writer->stamp.seconds, 0};
        rest->next += writer->stamp.length;
        return true;
    }
    if (!read_month(rest, &month) || !rest_skip(rest, ' ') || !read_day(rest, &day) || !rest_skip(rest, ' ') ||
        !read_clock(rest, &clock) || !in_last_year(month, day, clock, arrived, &seconds))
        return false;
    *moment = (struct moment){seconds, 0};
    keep(&writer->stamp, begin, (size_t)(rest->next - begin), arrived, seconds);
    return true;
}
