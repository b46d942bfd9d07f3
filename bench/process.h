/* What another process has used, as the kernel counts it. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <sys/types.h>

/* CPU seconds of all the process's threads, living and ended, in nanosecond resolution. */
double process_cpu(pid_t pid);

/* Resident memory in KiB. */
long process_rss(pid_t pid);

#endif
