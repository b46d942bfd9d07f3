/* The scenarios, a file a family. Each sets up the hosts and programs of one run. */
#ifndef WEIR_TESTS_SIM_SCENARIOS_H
#define WEIR_TESTS_SIM_SCENARIOS_H

void echo_in_fibers(void), echo_in_threads(void), echo_one_by_one(void);       /* echo.c */
void limits(void);                                                             /* limits.c */
void drain(void);                                                              /* drain.c */
void happy_eyeballs(void), no_address_answers(void);                           /* connect.c */
void crowd(void);                                                              /* crowd.c */
void udp_echo(void), udp_relay(void), udp_batches(void), unix_datagrams(void); /* datagrams.c */
void deadlines(void), deadlines_and_jumps(void);                               /* deadlines.c */
void cancels(void);                                                            /* cancels.c */
void duplex(void);                                                             /* duplex.c */
void records(void);                                                            /* records.c */
void relay(void);                                                              /* relay.c */
void proxy(void);                                                              /* proxy.c */
void print(void);                                                              /* print.c */
void lines(void);                                                              /* lines.c */
void conversations(void);                                                      /* conversations.c */
void answers(void);                                                            /* answerers.c */
void channels(void);                                                           /* channels.c */
void offload(void);                                                            /* offload.c */
void unix_streams(void), pairs(void);                                          /* local.c */
void login(void);                                                              /* login.c */
void log_writer(void), send_files(void), pipes(void);                          /* files.c */
void restarts(void);                                                           /* restart.c */
void clocks(void);                                                             /* clocks.c */
void signals(void);                                                            /* signals.c */
void radio(void);                                                              /* radio.c */
void radio_player(void);                                                       /* radio_player.c */
void threat(void);                                                             /* threat.c */
void tls(void);                                                                /* tls.c */

#endif
