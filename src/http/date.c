/* Dates as HTTP writes them (RFC 9110, 5.6.7), and the two older ways in which it must read them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

enum { LAST_YEAR = 9999 };

/* The names are put in by ourselves: those of strftime are the locale's. */
void http_date(int64_t seconds, char text[HTTP_DATE_SIZE])
{
    struct tm date;
    time_t time = (time_t)seconds;
    if (!gmtime_r(&time, &date) || date.tm_year + 1900 > LAST_YEAR || date.tm_year + 1900 < 1000)
        date = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    strftime(text, HTTP_DATE_SIZE, "ddd, %d mmm %Y %H:%M:%S GMT", &date);
    memcpy(text, days[date.tm_wday], 3);
    memcpy(text + 8, months[date.tm_mon], 3);
}

static int month_of(const char *name)
{
    for (int i = 0; i < 12; i++)
        if (strncmp(name, months[i], 3) == 0)
            return i;
    return -1;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_possible(const struct tm *date)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date->tm_mon < 0 || date->tm_mon > 11 || date->tm_year < -300)
        return false;
    int length = lengths[date->tm_mon] + (date->tm_mon == 1 && is_leap(date->tm_year + 1900));
    return date->tm_mday >= 1 && date->tm_mday <= length && date->tm_hour >= 0 && date->tm_hour <= 23 &&
           date->tm_min >= 0 && date->tm_min <= 59 && date->tm_sec >= 0 && date->tm_sec <= 60;
}

/* Two digits are of the century that puts them less than 50 years into the future. */
static int full_year(int year)
{
    int64_t seconds = weir_wall_clock() / WEIR_S(1);
    int now = 1970 + (int)(seconds / 31556952);
    int full = now - now % 100 + year;
    return full > now + 50 ? full - 100 : full;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". */
static bool read_date(const char *text, struct tm *date)
{
    char month[4], day[10];
    int end = 0, year;
    if (sscanf(text, "%9[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", day, &date->tm_mday, month, &year,
               &date->tm_hour, &date->tm_min, &date->tm_sec, &end) < 7 ||
        end == 0) {
        end = 0;
        if (sscanf(text, "%9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", day, &date->tm_mday, month, &year,
                   &date->tm_hour, &date->tm_min, &date->tm_sec, &end) == 7 &&
            end > 0)
            year = full_year(year);
        else if (sscanf(text, "%3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", day, month, &date->tm_mday, &date->tm_hour,
                        &date->tm_min, &date->tm_sec, &year, &end) < 7)
            return false;
    }
    date->tm_mon = month_of(month);
    date->tm_year = year - 1900;
    return end > 0 && text[end] == '\0';
}

int64_t http_parse_date(const char *text)
{
    struct tm date = {0};
    if (strlen(text) >= 64 || strpbrk(text, "+\t") || !read_date(text, &date) || !is_possible(&date))
        return -1;
    int64_t seconds = timegm(&date);
    return seconds < 0 ? -1 : seconds;
}
