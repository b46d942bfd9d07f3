/* What another process has used; see process.h. */
#include "process.h"

#include <stdio.h>
#include <time.h>

#include "load.h"

double process_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        fail("the watched process's clock");
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

long process_rss(pid_t pid)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "r");
    if (!status)
        fail(path);
    while (kib < 0 && fgets(line, sizeof line, status))
        sscanf(line, "VmRSS: %ld", &kib);
    fclose(status);
    return kib;
}
