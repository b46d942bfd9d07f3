/* weir --version: what this program is, what it runs on here and what it was built with. */
#include "commands.h"

#if defined __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* What a loop really runs on, on this machine, or why there can be none. */
static void print_backend(void)
{
    weir_loop *loop = weir_loop_new(NULL);
    if (loop)
        printf("backend    %s\n", weir_loop_backend(loop));
    else
        printf("backend    none: %s\n", weir_error()->reason);
    weir_loop_free(loop);
}

int print_version(void)
{
    printf("weir %s\n", weir_version());
    print_backend();
    printf("built for  %s\n", WEIR_BUILT_FOR);
    printf("built by   %s, %s\n", COMPILER, WEIR_BUILD_TYPE);
    printf("built with liburing %s\n", WEIR_LIBURING_VERSION);
    return finish_stdout();
}
