/* The version of the library that runs. */
#include <weir/api.h>

const char *weir_version(void)
{
    return WEIR_VERSION;
}
