/* The list of built-in services: a new one is one file and one row here. */
#include "services.h"

static const weir_service *const built_in[] = {
    &echo_service, &exec_service,  &greet_service,  &log_service,    &login_service,
    &menu_service, &print_service, &stream_service, &threat_service,
};

int services_register(void)
{
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++)
        if (weir_service_register(built_in[i]) < 0)
            return -1;
    return 0;
}
