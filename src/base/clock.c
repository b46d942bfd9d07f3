/* The clocks, deadlines on them, and the time as people write it. */
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "base/system.h"

int64_t weir_now(void)
{
    return weir__system()->monotonic();
}

int64_t weir_wall_clock(void)
{
    return weir__system()->wall();
}

int64_t weir_deadline(int64_t timeout)
{
    if (timeout == WEIR_FOREVER)
        return WEIR_FOREVER;
    if (timeout <= 0)
        return WEIR_NOW;
    int64_t deadline;
    return __builtin_add_overflow(weir_now(), timeout, &deadline) ? WEIR_FOREVER : deadline;
}

/* Seconds, those before 1970 as well: rounded down. */
static time_t seconds_of(int64_t wall)
{
    return wall / WEIR_S(1) - (wall % WEIR_S(1) < 0);
}

/* The last `digits` digits of a number. Returns what is behind them. */
static char *put(char *to, int number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
    return to + digits;
}

static char *put_marked(char *to, char mark, int number)
{
    *to = mark;
    return put(to + 1, number, 2);
}

/* By hand: printf(3) would take a multiple of what the time costs, and services tell it often. */
static void write_iso(const struct tm *time, char text[WEIR_ISO_TIME])
{
    int minutes = (int)(labs(time->tm_gmtoff) / 60);
    char *to = put(text, time->tm_year + 1900, 4);
    to = put_marked(to, '-', time->tm_mon + 1);
    to = put_marked(to, '-', time->tm_mday);
    to = put_marked(to, 'T', time->tm_hour);
    to = put_marked(to, ':', time->tm_min);
    to = put_marked(to, ':', time->tm_sec);
    to = put_marked(to, time->tm_gmtoff < 0 ? '-' : '+', minutes / 60);
    *put_marked(to, ':', minutes % 60) = '\0';
}

char *weir_iso_time(int64_t wall, char *text, size_t size)
{
    time_t seconds = seconds_of(wall);
    struct tm local = {0};
    char whole[WEIR_ISO_TIME];
    localtime_r(&seconds, &local); /* which cannot fail in the years that nanoseconds reach */
    write_iso(&local, whole);
    if (size > 0) {
        size_t length = size < sizeof whole ? size - 1 : sizeof whole - 1;
        memcpy(text, whole, length);
        text[length] = '\0';
    }
    return text;
}
