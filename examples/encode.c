/* Text to bytes and back: prints the bytes that a text is in an encoding, and the text that they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

int main(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : "hello world", *encoding = argc > 2 ? argv[2] : "utf-8";
    size_t size;
    char *again = NULL, *bytes = weir_encode(text, strlen(text), encoding, WEIR_TEXT_STRICT, &size);
    if (bytes)
        again = weir_decode(bytes, size, encoding, WEIR_TEXT_STRICT, NULL);
    if (!again)
        weir_log_error();
    for (size_t i = 0; again && i < size; i++)
        printf("%02x%c", (unsigned char)bytes[i], i + 1 < size ? ' ' : '\n');
    if (again)
        puts(again);
    free(again);
    free(bytes);
    return !again;
}
