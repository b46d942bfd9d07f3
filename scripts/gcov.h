/* For scripts/coverage: what a process has run is written down when it ends by _exit too, as forked children of tests do. */
#ifndef __ASSEMBLER__
#include <unistd.h>

extern void __gcov_dump(void);

static inline _Noreturn void gcov_exit(int status)
{
    __gcov_dump();
    _exit(status);
}
#define _exit gcov_exit
#endif
