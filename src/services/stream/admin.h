/* What those who send may change while they do. */
#ifndef STREAM_ADMIN_H
#define STREAM_ADMIN_H

#include "stream.h"

/* GET /admin/metadata?mode=updinfo&mount=/MOUNT&song=TITLE (or artist= and title=), as Icecast has it. */
http_handler admin_metadata_answer;

#endif
