/*
 * Included before every source that clang-tidy looks at, except those that define these functions: tells its analyzer, which
 * sees one file at a time, that whoever fails returns -1. Without it everything after `if (... < 0)` looks uninitialised.
 */
#include <weir/error.h>
#define weir_fail(...) (weir_fail(__VA_ARGS__), -1)

#if __has_include("base/error.h")
#include "base/error.h"
#define weir__error_transferred(...) (weir__error_transferred(__VA_ARGS__), -1)
#define weir__fail_system(...) (weir__fail_system(__VA_ARGS__), -1)
#define weir__fail_deadline(...) (weir__fail_deadline(__VA_ARGS__), -1)
#define weir__fail_cancelled(...) (weir__fail_cancelled(__VA_ARGS__), -1)
#define weir__fail_busy(...) (weir__fail_busy(__VA_ARGS__), -1)
#define weir__fail_memory(...) (weir__fail_memory(__VA_ARGS__), -1)
#endif
