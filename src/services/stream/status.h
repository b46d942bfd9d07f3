/* What is on, for programs: in Icecast's shape, so that its tools read it. */
#ifndef STREAM_STATUS_H
#define STREAM_STATUS_H

#include "stream.h"

/* GET of /status.json and /status-json.xsl. */
http_handler status_answer;

#endif
