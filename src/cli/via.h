/* --via: what a client goes through to its endpoint. */
#ifndef CLI_VIA_H
#define CLI_VIA_H

#include "commands.h"

/* --via, over a weir_option_list, whose items are what weir_connect_options.via wants. */
extern const weir_option via_options[];

/*
 * Whether one can go to that endpoint through these: only streams of IP go through others. 0, also where there are
 * none; or -1 with a usage error.
 */
int via_check(const weir_option_list *via, const weir_endpoint *endpoint, const char *command);

/* " through ssh://host, socks5://host", without users and passwords; "" where there are none. Returns `text`. */
char *via_text(const weir_option_list *via, char *text, size_t size);

#endif
