/* The services that the program has built in. */
#ifndef SERVICES_SERVICES_H
#define SERVICES_SERVICES_H

#include <weir/service.h>

extern const weir_service echo_service, exec_service, greet_service, log_service, login_service, menu_service,
    print_service, stream_service, threat_service;

/* What the descriptions of conversations say of messages. */
#define MESSAGES_ARE_SO                                                                                                \
    "A message ends at a newline, as nc and telnet send it, or at a pause of 100 ms, for programs that send none. "    \
    "The first message decides it for the connection: where it ended at a newline newlines alone count from then "     \
    "on, and answers end in the client's own newline, LF or CR LF; otherwise answers have none."

/* Registers all of them. 0, or -1 as weir_service_register. */
int services_register(void);

#endif
