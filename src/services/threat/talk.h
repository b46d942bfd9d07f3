/* threat's conversation with a client. */
#ifndef SERVICES_THREAT_TALK_H
#define SERVICES_THREAT_TALK_H

#include <weir/conn.h>

/* A weir_stream_handler; its arg is a struct threat_source. */
void threat_talk(weir_conn *conn, void *source);

#endif
