/* Rules: which clients a server lets in, by their addresses. */
#ifndef WEIR_SERVER_RULES_H
#define WEIR_SERVER_RULES_H

#include <weir/endpoint.h>
#include <weir/option.h>

struct weir__rules;

/*
 * Reads the rules of weir_server_options: texts of networks, by names "allow" and "deny". An address (10.0.0.1, ::1) or a
 * network (10.0.0.0/8, fd00::/8; nothing but zeros behind the prefix). IPv4 addresses mapped into IPv6 (::ffff:10.0.0.0/104) are
 * IPv4 addresses, in rules and in clients. *rules is NULL where there are none; weir__rules_free frees it. Returns 0; -1 with
 * EINVAL of kind USAGE ("--allow 10.0.0.0/33: the prefix is longer than 32 bits"), or ENOMEM.
 */
int weir__rules_parse(const weir_option_list *texts, struct weir__rules **rules);

/* NULL is fine. */
void weir__rules_free(struct weir__rules *rules);

/*
 * Whether an address is let in: the first rule that matches decides; without one, only if there is no "allow". Unix sockets'
 * always are; what is no address matches none.
 */
bool weir__rules_allow(const struct weir__rules *rules, const weir_address *address);

#endif
