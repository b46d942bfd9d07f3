/* Playlists: what players open that follow links. */
#ifndef STREAM_PLAYLIST_H
#define STREAM_PLAYLIST_H

#include "stream.h"

/* GET of /MOUNT.m3u and /MOUNT.pls. */
http_handler playlist_answer;

/* "http://HOST" as this request has reached us, to be put before a path: what was sent as Host, checked. */
enum { HERE_MOST = 320 };
void stream_here(const struct http_exchange *exchange, char here[HERE_MOST]);

#endif
