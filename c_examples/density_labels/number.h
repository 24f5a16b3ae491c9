/* Numbers from text, strictly: the whole text must be the number, blanks around it aside. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* A finite decimal number. "inf", "nan", hexadecimal and trailing characters are refused. */
bool parse_decimal(const char *text, double *value);

/* Decimal digits only, at most `largest`. */
bool parse_whole(const char *text, uint64_t largest, uint64_t *value);

#endif
