/* Rules of who is let in: how they are read, what they match, in which order. */
#include "servers.h"

#include "server/rules.h"

enum { MOST = 8 };

/* "allow 10.0.0.0/8", "deny ::1", ... up to a NULL. */
static struct weir__rules *rules_of(const char *const *texts)
{
    const char *names[MOST], *items[MOST];
    weir_option_list list = {items, names, 0};
    for (; texts[list.count]; list.count++) {
        bool allow = strncmp(texts[list.count], "allow ", 6) == 0;
        names[list.count] = allow ? "allow" : "deny";
        items[list.count] = texts[list.count] + (allow ? 6 : 5);
    }
    struct weir__rules *rules;
    check(weir__rules_parse(&list, &rules) == 0);
    return rules;
}

#define RULES(...) rules_of((const char *const[]){__VA_ARGS__, NULL})

static bool lets_in(const struct weir__rules *rules, const char *address)
{
    weir_address parsed;
    check(weir_parse_address(address, &parsed) == 0);
    return weir__rules_allow(rules, &parsed);
}

#define check_in(rules, address)  check(lets_in(rules, address))
#define check_out(rules, address) check(!lets_in(rules, address))

static void fails(const char *name, const char *text, const char *sentence)
{
    weir_option_list list = {&text, &name, 1};
    struct weir__rules *rules;
    check(weir__rules_parse(&list, &rules) == -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check_text(weir_error()->sentence, sentence);
    check(rules == NULL);
}

static void no_rules_are_none(void **state)
{
    (void)state;
    struct weir__rules *rules;
    check(weir__rules_parse(&(weir_option_list){0}, &rules) == 0);
    check(rules == NULL);
}

static void what_is_no_network_is_named(void **state)
{
    (void)state;
    static const char no_network[] = "not an address or network, such as 10.0.0.1, 10.0.0.0/8, ::1 or fd00::/8";
    static const char *const texts[] = {"10.0.0",     "10.0.0.256", "10.0.0.1.2", "localhost", "/8",  "10.0.0.1 ",
                                        "10.0.0.1:8", "[::1]",      "::1::",      ":",         "1/8", "010.0.0.1x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fails("allow", texts[i], text("--allow %s: %s", texts[i], no_network));
    fails("deny", "", text("--deny '': %s", no_network));
    fails("allow", "fe80::1%1", "--allow fe80::1%1: an address with a zone: clients are told by their addresses alone");
    fails("allow", "10.0.0.0/33", "--allow 10.0.0.0/33: the prefix is longer than 32 bits");
    fails("deny", "fd00::/129", "--deny fd00::/129: the prefix is longer than 128 bits");
    static const char *const prefixes[] = {"10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8",
                                           "::/ 8",     "::/0000",    "::/+8",       "::/8 "};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        fails("allow", prefixes[i], text("--allow %s: the prefix behind the / is not a number of bits", prefixes[i]));
    fails("allow", "10.0.0.1/8", "--allow 10.0.0.1/8: the address goes on behind the prefix: zeros are to follow it");
    fails("allow", "fd00::1/127", "--allow fd00::1/127: the address goes on behind the prefix: zeros are to follow it");
    fails("allow", "::ffff:10.0.0.0/95",
          "--allow ::ffff:10.0.0.0/95: the prefix of an IPv4 address in IPv6 is at least 96 bits");
    fails("permit", "::1", "--permit ::1: a rule is one of allow and deny");
}

static void a_server_with_a_rule_that_is_none_is_not_made(void **state)
{
    (void)state;
    const char *name = "allow", *item = "10.0.0.0/33";
    weir_server_options options = {.size = sizeof options, .rules = {&item, &name, 1}};
    check(weir_server_new(&options) == NULL);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check_text(weir_error()->subject, "--allow 10.0.0.0/33");
}

static void every_length_of_prefix_matches_its_network(void **state)
{
    (void)state;
    /* The last address of the network and the first behind it, by each length. */
    for (unsigned bits = 1; bits <= 32; bits++) {
        uint32_t first = 0x80000000u >> (bits - 1), size = bits == 32 ? 1 : 1u << (32 - bits), last = first + size - 1;
        const uint32_t each[] = {first, last, first - 1, last + 1};
        struct weir__rules *rules =
            RULES(text("allow %u.%u.%u.%u/%u", first >> 24, first >> 16 & 255, first >> 8 & 255, first & 255, bits));
        for (int i = 0; i < 4; i++) {
            uint32_t a = each[i];
            check(lets_in(rules, text("%u.%u.%u.%u:1", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255)) == (i < 2));
        }
        weir__rules_free(rules);
    }
    struct weir__rules *rules = RULES("allow 2001:db8::/33");
    check_in(rules, "[2001:db8:7fff:ffff:ffff:ffff:ffff:ffff]:1");
    check_out(rules, "[2001:db8:8000::]:1");
    check_out(rules, "[2001:db7:ffff::]:1");
    weir__rules_free(rules);
    rules = RULES("allow 2001:db8::5");
    check_in(rules, "[2001:db8::5]:1");
    check_out(rules, "[2001:db8::4]:1");
    weir__rules_free(rules);
}

static void families_are_told_apart_and_mapped_addresses_are_ipv4(void **state)
{
    (void)state;
    struct weir__rules *rules = RULES("deny 0.0.0.0/0");
    check_out(rules, "1.2.3.4:1");
    check_out(rules, "[::ffff:1.2.3.4]:1");
    check_in(rules, "[::1]:1");
    weir__rules_free(rules);
    rules = RULES("deny ::/0");
    check_in(rules, "1.2.3.4:1");
    check_in(rules, "[::ffff:1.2.3.4]:1");
    check_out(rules, "[::1]:1");
    weir__rules_free(rules);
    rules = RULES("allow ::ffff:10.0.0.0/104");
    check_in(rules, "10.200.0.1:1");
    check_in(rules, "[::ffff:10.200.0.1]:1");
    check_out(rules, "11.0.0.0:1");
    weir__rules_free(rules);
}

static void the_first_that_matches_decides(void **state)
{
    (void)state;
    struct weir__rules *rules = RULES("deny 10.0.0.5", "allow 10.0.0.0/8", "deny 10.1.0.0/16");
    check_out(rules, "10.0.0.5:1");
    check_in(rules, "10.0.0.6:1");
    check_in(rules, "10.1.0.1:1"); /* too late to be denied */
    check_out(rules, "11.0.0.1:1");
    weir__rules_free(rules);
    rules = RULES("allow 10.0.0.0/8", "deny 10.0.0.5");
    check_in(rules, "10.0.0.5:1");
    weir__rules_free(rules);
}

static void who_matches_none_is_let_in_unless_there_is_an_allow(void **state)
{
    (void)state;
    struct weir__rules *rules = RULES("deny 10.0.0.0/8", "deny 127.0.0.1");
    check_in(rules, "11.0.0.1:1");
    check_out(rules, "127.0.0.1:1"); /* loopback is no exception */
    check_in(rules, "/run/socket");
    check(weir__rules_allow(rules, &(weir_address){0}));
    weir__rules_free(rules);
    rules = RULES("deny 10.0.0.5", "allow 10.0.0.0/8");
    check_out(rules, "127.0.0.1:1");
    check_out(rules, "[::1]:1");
    check_in(rules, "@abstract");
    check(!weir__rules_allow(rules, &(weir_address){0}));
    weir__rules_free(rules);
}

/* --- in servers --- */

static weir_server_options options_with(void **state, weir_option_list rules)
{
    weir_server_options options = options_of(state);
    options.rules = rules;
    return options;
}

static void a_client_that_is_denied_is_closed_at_once(void **state)
{
    const char *names[] = {"deny"}, *items[] = {"127.0.0.0/8"};
    weir_server_options options = options_with(state, (weir_option_list){items, names, 1});
    options.max_connections = 1; /* which those who are refused do not count for */
    options.workers = 1;
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    for (int i = 0; i < 20; i++) {
        int fd = client_of(server);
        char byte;
        check(recv(fd, &byte, 1, 0) <= 0);
        close(fd);
    }
    check(counters_of(server).refused_rule == 20);
    check(counters_of(server).accepted == 0 && counters_of(server).refused_limit == 0);
    end_server(server);
}

static void a_client_that_is_allowed_is_served(void **state)
{
    const char *names[] = {"deny", "allow"}, *items[] = {"127.0.0.2", "127.0.0.1"};
    weir_server_options options = options_with(state, (weir_option_list){items, names, 2});
    weir_server *server = server_with(&options, "tcp://127.0.0.1:0", echo, NULL);
    int fd = client_of(server);
    check(is_echoed(fd, "hello"));
    close(fd);
    check(counters_of(server).refused_rule == 0);
    end_server(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rules_are_none),
        cmocka_unit_test(what_is_no_network_is_named),
        cmocka_unit_test(a_server_with_a_rule_that_is_none_is_not_made),
        cmocka_unit_test(every_length_of_prefix_matches_its_network),
        cmocka_unit_test(families_are_told_apart_and_mapped_addresses_are_ipv4),
        cmocka_unit_test(the_first_that_matches_decides),
        cmocka_unit_test(who_matches_none_is_let_in_unless_there_is_an_allow),
        IN_EVERY_MODE(a_client_that_is_denied_is_closed_at_once),
        IN_EVERY_MODE(a_client_that_is_allowed_is_served),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
