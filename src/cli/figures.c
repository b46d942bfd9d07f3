/* Figures as people read them; see figures.h. */
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>

char *figure_grouped(uint64_t number, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

char *figure_duration(double nanoseconds, char text[32])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    int unit = 0;
    for (; nanoseconds >= 1000 && unit < 3; unit++)
        nanoseconds /= 1000;
    snprintf(text, 32, "%.*f %s",
             nanoseconds < 10 && unit    ? 2
             : nanoseconds < 100 && unit ? 1
                                         : 0,
             nanoseconds, units[unit]);
    return text;
}

char *figure_bytes(double count, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    for (; count >= 1024 && unit < 4; unit++)
        count /= 1024;
    snprintf(text, 32, "%.*f %s", unit ? 1 : 0, count, units[unit]);
    return text;
}
