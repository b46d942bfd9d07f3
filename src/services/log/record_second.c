/* Seconds as text in local time, made anew only when they change. */
#include <string.h>
#include <time.h>

#include "record_inside.h"

/* Digits from the right end on; a number of more is cut, of which there is none here. */
static void write_digits(char *to, int count, int number)
{
    for (; count-- > 0; number /= 10)
        to[count] = (char)('0' + number % 10);
}

/* Zones are whole minutes but for old local times, whose seconds RFC 3339 cannot show. */
static void write_zone(char *to, int ahead)
{
    int minutes = (ahead < 0 ? -ahead : ahead) / 60;
    to[0] = ahead < 0 ? '-' : '+';
    write_digits(to + 1, 2, minutes / 60);
    to[3] = ':';
    write_digits(to + 4, 2, minutes % 60);
}

static void write_second(struct second *second, const struct tm *local)
{
    memcpy(second->date, "0000-00-00", sizeof second->date);
    memcpy(second->clock, "00:00:00", sizeof second->clock);
    write_digits(second->date, 4, local->tm_year + 1900);
    write_digits(second->date + 5, 2, local->tm_mon + 1);
    write_digits(second->date + 8, 2, local->tm_mday);
    write_digits(second->clock, 2, local->tm_hour);
    write_digits(second->clock + 3, 2, local->tm_min);
    write_digits(second->clock + 6, 2, local->tm_sec);
    write_zone(second->zone, (int)local->tm_gmtoff);
}

const struct second *second_of(struct second *second, int64_t at)
{
    struct tm local;
    if (second->known && second->at == at)
        return second;
    if (!localtime_r(&at, &local))
        memset(&local, 0, sizeof local);
    write_second(second, &local);
    second->at = at;
    second->known = true;
    return second;
}
