/* The table of scenarios; `scenarios --help` tells what can be done with them. */
#include "scenarios.h"

#include <stddef.h>
#include <time.h>
#include <weir/sim.h>

static const weir_sim_scenario scenarios[] = {
    {.name = "echo-fibers", .summary = "clients of an echo, a fiber each", .set_up = echo_in_fibers},
    {.name = "echo-threads", .summary = "the same, a thread each", .set_up = echo_in_threads},
    {.name = "echo-iterative", .summary = "the same, one after the other", .set_up = echo_one_by_one},
    {.name = "limits",
     .summary = "caps of connections, limits of idleness, writing and messages",
     .set_up = limits,
     .without = WEIR_SIM_CLOCK},
    {.name = "drain",
     .summary = "servers that are stopped while clients talk",
     .set_up = drain,
     .without = WEIR_SIM_CLOCK},
    {.name = "happy-eyeballs",
     .summary = "names of dead, refusing and slow addresses",
     .set_up = happy_eyeballs,
     .without = WEIR_SIM_CLOCK},
    {.name = "no-address",
     .summary = "names where nobody answers",
     .set_up = no_address_answers,
     .without = WEIR_SIM_CLOCK},
    {.name = "crowd", .summary = "110 clients in short conversations", .set_up = crowd},
    {.name = "udp-echo", .summary = "questions by datagram, until they are answered", .set_up = udp_echo},
    {.name = "udp-relay", .summary = "the same by way of weir relay, with its sessions", .set_up = udp_relay},
    {.name = "udp-batches", .summary = "many at a time, from the asked address", .set_up = udp_batches},
    {.name = "unix-datagrams", .summary = "the same on Unix sockets", .set_up = unix_datagrams},
    {.name = "deadlines",
     .summary = "deadlines of calls and directions, kept to the tick",
     .set_up = deadlines,
     .without = WEIR_SIM_CLOCK},
    {.name = "clock-jumps", .summary = "deadlines while the clock jumps, never early", .set_up = deadlines_and_jumps},
    {.name = "cancels",
     .summary = "calls of every kind cancelled by another fiber",
     .set_up = cancels,
     .without = WEIR_SIM_CLOCK},
    {.name = "duplex", .summary = "both sides read and write at once, at speeds of their own", .set_up = duplex},
    {.name = "records",
     .summary = "weir serve log, on a disk that fails: what came is stored, or told as dropped",
     .set_up = records},
    {.name = "relay", .summary = "two connections joined, half-closes passed on", .set_up = relay},
    {.name = "proxies", .summary = "by way of SOCKS and HTTP proxies, which answer in pieces", .set_up = proxy},
    {.name = "print", .summary = "lines of many senders on one output, none within another", .set_up = print},
    {.name = "lines", .summary = "lines, marks and fixed lengths over cuts at any byte", .set_up = lines},
    {.name = "conversations",
     .summary = "messages by lines and by pauses, over cuts and delays",
     .set_up = conversations},
    {.name = "answers", .summary = "greet and menu, line for line", .set_up = answers},
    {.name = "channels", .summary = "channels and select beside sockets", .set_up = channels},
    {.name = "offload",
     .summary = "work on the pool with deadlines and cancels",
     .set_up = offload,
     .without = WEIR_SIM_CLOCK},
    {.name = "unix", .summary = "an echo on a Unix socket", .set_up = unix_streams},
    {.name = "pairs", .summary = "pairs of sockets between two fibers", .set_up = pairs},
    {.name = "log",
     .summary = "a log on a disk that is full, or fails, or loses what was not synced",
     .set_up = log_writer},
    {.name = "sendfile", .summary = "files that are sent", .set_up = send_files},
    {.name = "pipes", .summary = "pipes, with deadlines and broken ones", .set_up = pipes},
    {.name = "restarts", .summary = "a service that is killed, and keeps what it has confirmed", .set_up = restarts},
    {.name = "clocks", .summary = "many timers, kept to the tick", .set_up = clocks, .without = WEIR_SIM_CLOCK},
    {.name = "signals", .summary = "signals, none of which is forgotten", .set_up = signals},
    {.name = "login", .summary = "the door of login, at which some guess and some go", .set_up = login},
    {.name = "threat", .summary = "threat, whose feed is slow and fails", .set_up = threat},
#ifndef WITHOUT_LIBRARIES /* for a machine that has none but the C library */
    {.name = "radio",
     .summary = "mounts of stream: sources that come and go, listeners at every speed",
     .set_up = radio},
    {.name = "radio-player",
     .summary = "the player of stream, paced, and how it ends",
     .set_up = radio_player,
     .without = WEIR_SIM_CLOCK},
    {.name = "tls", .summary = "an echo by TLS, for clients of ours and of OpenSSL's alone, which cut", .set_up = tls},
#endif
    {0},
};

int main(int argc, char **argv)
{
    tzset(); /* what the C library keeps of the time zone would look like a run's memory */
    return weir_sim_main(argc, argv, scenarios);
}
