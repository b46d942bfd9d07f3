/* The clocks, deadlines on them, and the time as people write it. */
#include <stdio.h>
#include <stdlib.h>
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

char *weir_iso_time(int64_t wall, char *text, size_t size)
{
    time_t seconds = seconds_of(wall);
    struct tm local = {0};
    localtime_r(&seconds, &local); /* which cannot fail in the years that nanoseconds reach */
    long minutes = labs(local.tm_gmtoff) / 60;
    snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d%c%02ld:%02ld", local.tm_year + 1900, local.tm_mon + 1,
             local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, local.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
             minutes % 60);
    return text;
}
