/* The services that the program has built in. */
#ifndef SERVICES_SERVICES_H
#define SERVICES_SERVICES_H

#include <weir/service.h>

extern const weir_service echo_service, exec_service, greet_service, log_service, login_service, menu_service,
    print_service, threat_service;

/* Registers all of them. 0, or -1 as weir_service_register. */
int services_register(void);

#endif
