/* Suggestions for words that were mistyped. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

/* The command, or the service, that `word` was probably meant to be; NULL where none is near. */
const char *suggest_command(const char *word);
const char *suggest_service(const char *word);

#endif
