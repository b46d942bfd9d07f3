/* Hosts and what runs on them: programs, and services that are told to stop, or killed and started again. */
#include "engine/sim/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "engine/loop.h"

#define LONGEST_DOWNTIME WEIR_S(5)
#define BACK_WITHIN      WEIR_MS(200) /* once faults have stopped */

struct weir_sim_host *weir__sim_host(void)
{
    const struct weir_fiber *fiber = weir__fiber_running();
    return fiber ? fiber->host : weir__sim_here ? weir__sim_here->delivering : NULL;
}

void *weir__sim_host_of_spawned(weir_loop *loop)
{
    return loop->running ? loop->running->host : weir__sim_here->delivering;
}

const char *weir__sim_name_of(const struct weir_fiber *fiber)
{
    const struct weir_sim_host *host = fiber->host;
    return host ? host->name : "-";
}

weir_sim_host *weir_sim_host_self(void)
{
    return weir__sim_host();
}

const char *weir_sim_host_name(const weir_sim_host *host)
{
    return host->name;
}

/* --- making them --- */

static void give_addresses(struct weir_sim_host *host)
{
    host->ip4.s_addr = htonl(0x0a000000 | host->number);
    host->ip6 = (struct in6_addr){.s6_addr = {0xfd}};
    host->ip6.s6_addr[14] = (uint8_t)(host->number >> 8);
    host->ip6.s6_addr[15] = (uint8_t)host->number;
}

weir_sim_host *weir_sim_host_new(const char *name)
{
    struct weir__sim *sim = weir__sim_here;
    struct weir_sim_host *host = calloc(1, sizeof *host);
    if (!host)
        abort();
    host->number = ++sim->host_count;
    if (name)
        weir__copy_text(host->name, name, sizeof host->name);
    else
        snprintf(host->name, sizeof host->name, "host%u", host->number);
    give_addresses(host);
    weir__list_init(&host->programs);
    weir__list_init(&host->bound);
    weir__list_push_back(&sim->hosts, &host->link);
    return host;
}

static bool is_loopback4(in_addr_t address)
{
    return ntohl(address) >> 24 == 127;
}

static struct weir_sim_host *with_ip4(in_addr_t address)
{
    struct weir__list *link;
    weir__list_each(link, &weir__sim_here->hosts)
    {
        struct weir_sim_host *host = weir__list_entry(link, struct weir_sim_host, link);
        if (host->ip4.s_addr == address)
            return host;
    }
    return NULL;
}

static struct weir_sim_host *with_ip6(const struct in6_addr *address)
{
    struct weir__list *link;
    weir__list_each(link, &weir__sim_here->hosts)
    {
        struct weir_sim_host *host = weir__list_entry(link, struct weir_sim_host, link);
        if (IN6_ARE_ADDR_EQUAL(&host->ip6, address))
            return host;
    }
    return NULL;
}

struct weir_sim_host *weir__sim_host_at(struct weir_sim_host *from, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        in_addr_t ip4 = ((const struct sockaddr_in *)address)->sin_addr.s_addr;
        return is_loopback4(ip4) || ip4 == INADDR_ANY ? from : with_ip4(ip4);
    }
    const struct in6_addr *ip6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(ip6)) {
        in_addr_t ip4;
        memcpy(&ip4, &ip6->s6_addr[12], sizeof ip4);
        return is_loopback4(ip4) ? from : with_ip4(ip4);
    }
    return IN6_IS_ADDR_LOOPBACK(ip6) || IN6_IS_ADDR_UNSPECIFIED(ip6) ? from : with_ip6(ip6);
}

/* --- programs --- */

static void ended(struct weir__sim_program *program, int result);

static int run_program(void *arg)
{
    struct weir__sim_program *program = arg;
    weir__sim_trace(NULL, "begin", 0, NULL, 0);
    int result = program->function(program->arg);
    weir__sim_trace(NULL, "end", result, NULL, 0);
    ended(program, result);
    return 0;
}

static void spawn_program(void *arg)
{
    struct weir__sim_program *program = arg;
    struct weir__sim *sim = weir__sim_here;
    weir_fiber_options options = {.size = sizeof options, .name = program->name, .detached = true, .loop = sim->loop};
    weir_fiber *fiber = weir_spawn(run_program, program, &options);
    if (!fiber)
        abort();
    fiber->host = program->host;
    fiber->server = NULL;
    program->fiber = fiber;
    program->running = true;
    program->told = false;
}

static struct weir__sim_program *add(struct weir_sim_host *host, const char *name, int (*function)(void *arg),
                                     void *arg, bool service)
{
    struct weir__sim_program *program = calloc(1, sizeof *program);
    if (!program)
        abort();
    *program =
        (struct weir__sim_program){.host = host, .name = name, .function = function, .arg = arg, .service = service};
    weir__list_push_back(&host->programs, &program->link);
    if (service)
        weir__sim_here->services_left++;
    else
        weir__sim_here->programs_left++;
    if (weir__sim_here->started)
        spawn_program(program);
    return program;
}

void weir_sim_program(weir_sim_host *host, const char *name, int (*function)(void *arg), void *arg)
{
    add(host, name, function, arg, false);
}

void weir_sim_service(weir_sim_host *host, const char *name, int (*function)(void *arg), void *arg)
{
    add(host, name, function, arg, true);
}

/* --- stopping --- */

void weir__sim_for_programs(struct weir_sim_host *host, void (*function)(struct weir__sim_program *))
{
    struct weir__list *link, *next;
    for (link = host->programs.next; link != &host->programs; link = next) {
        next = link->next;
        function(weir__list_entry(link, struct weir__sim_program, link));
    }
}

static void tell_to_stop(struct weir__sim_program *program)
{
    if (!program->service || program->told || !program->running)
        return;
    program->told = true;
    weir__sim_notify(program->host, SIGTERM);
    weir__wake(&program->stop);
}

static void stop_services(void *arg)
{
    struct weir__sim *sim = arg;
    struct weir__list *link;
    weir__list_each(link, &sim->hosts)
    {
        struct weir_sim_host *host = weir__list_entry(link, struct weir_sim_host, link);
        sim->delivering = host;
        weir__sim_for_programs(host, tell_to_stop);
    }
    sim->delivering = NULL;
}

static void program_gone(void)
{
    struct weir__sim *sim = weir__sim_here;
    if (--sim->programs_left)
        return;
    sim->stopping = true;
    if (sim->services_left)
        weir__sim_at(sim->now + weir__sim_between(0, WEIR_S(1)), stop_services, sim);
}

static void service_gone(void)
{
    weir__sim_here->services_left--;
}

/* A service that could not go on, or was killed: whoever watches over it starts it again, as long as it is wanted. */
static void start_again(void *arg)
{
    struct weir__sim_program *program = arg;
    program->awaited = false;
    if (weir__sim_here->stopping) {
        service_gone();
        return;
    }
    weir__sim_here->delivering = program->host;
    spawn_program(program);
}

/* To be down is a fault: when those have stopped it does not last. */
static int64_t back_at(const struct weir__sim *sim)
{
    int64_t quiet = sim->now > sim->faults_end ? sim->now : sim->faults_end;
    int64_t time = sim->now + weir__sim_between(WEIR_MS(1), LONGEST_DOWNTIME);
    int64_t latest = quiet + weir__sim_between(WEIR_MS(1), BACK_WITHIN);
    return time < latest ? time : latest;
}

void weir__sim_start_later(struct weir__sim_program *program)
{
    struct weir__sim *sim = weir__sim_here;
    if (!program->awaited)
        weir__sim_at(back_at(sim), start_again, program);
    program->awaited = true;
}

/* What an error of the last of the faults may still do. */
static bool excused(void)
{
    return weir__sim_here->now < weir__sim_here->faults_end + WEIR_S(60);
}

static void ended(struct weir__sim_program *program, int result)
{
    program->running = false;
    if (program->host->down)
        return; /* the funeral starts it again */
    bool early = program->service && !program->told;
    if (early && result != 0 && excused()) {
        weir__sim_start_later(program);
        return;
    }
    /* One that was told to stop while a fault kept it from starting has stopped. */
    bool forgiven = program->service && program->told && excused();
    const char *sentence = weir_error()->sentence, *before = *sentence ? ": " : "";
    if (early)
        weir__sim_fail("%s/%s ended before it was told to, with %d%s%s", program->host->name, program->name, result,
                       before, sentence);
    else if (result != 0 && !forgiven)
        weir__sim_fail("%s/%s ended with %d%s%s", program->host->name, program->name, result, before, sentence);
    if (program->service)
        service_gone();
    else
        program_gone();
}

/* The service whose fiber this is; in a fiber that it has spawned, the first of the host that waits for no stop yet. */
static struct weir__sim_program *program_here(void)
{
    struct weir_sim_host *host = weir__sim_host();
    struct weir__sim_program *found = NULL;
    struct weir__list *link;
    weir__list_each(link, &host->programs)
    {
        struct weir__sim_program *program = weir__list_entry(link, struct weir__sim_program, link);
        if (!program->service || !program->running)
            continue;
        if (program->fiber == weir__fiber_running())
            return program;
        if (!found || (atomic_load(&found->stop) && !atomic_load(&program->stop)))
            found = program;
    }
    return found;
}

int weir_sim_wait_stop(void)
{
    struct weir__sim_program *program = program_here();
    while (program && !program->told) {
        if (!weir__wait_begin(&program->stop))
            return weir__fail_busy("wait", program->name);
        if (weir__wait_park(&program->stop, WEIR_FOREVER) < 0)
            return weir__fail_cancelled("wait", program->name);
    }
    return 0;
}

void weir_sim_signal(weir_sim_host *host, int number)
{
    weir__sim_notify(host, number);
}

/* --- the run --- */

static void start_one(struct weir__sim_program *program)
{
    spawn_program(program);
}

void weir__sim_hosts_start(struct weir__sim *sim)
{
    struct weir__list *link;
    sim->started = true;
    weir__list_each(link, &sim->hosts)
    {
        struct weir_sim_host *host = weir__list_entry(link, struct weir_sim_host, link);
        weir__sim_for_programs(host, start_one);
        weir__sim_draw_kills(sim, host);
    }
}

void weir__sim_hosts_free(struct weir__sim *sim)
{
    struct weir__list *link, *program;
    while ((link = weir__list_pop_front(&sim->hosts))) {
        struct weir_sim_host *host = weir__list_entry(link, struct weir_sim_host, link);
        while ((program = weir__list_pop_front(&host->programs)))
            free(weir__list_entry(program, struct weir__sim_program, link));
        weir__sim_files_free(host);
        weir__sim_notices_free(host);
        free(host);
    }
}
