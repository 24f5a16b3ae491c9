#include "message.h"

#include <stdarg.h>
#include <stdio.h>

enum exit_status complain(enum exit_status status, const char *format, ...)
{
    char text[4096];
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);

    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    fprintf(stderr, "density_labels: %s\n", text);
    return status;
}
