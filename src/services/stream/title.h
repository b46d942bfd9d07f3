/* What a file is called: by its ID3 tag (libid3tag), else its name. */
#ifndef STREAM_TITLE_H
#define STREAM_TITLE_H

#include <weir/weir.h>

enum { TITLE_MOST = 512 };

/* "Artist - Title", or the title, or the file's name without folder and suffix, as UTF-8 without control characters. Blocks: call it on the pool. */
void title_of_file(const char *path, char title[TITLE_MOST]);

#endif
