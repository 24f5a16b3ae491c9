#include "number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

bool parse_decimal(const char *text, double *value)
{
    text += strspn(text, blanks);
    /* strtod alone would also take "nan", "infinity" and "0x1p3". Its decimal point is always '.'
     * here, because this program never calls setlocale. */
    size_t length = strspn(text, "0123456789+-.eE");
    char *end;
    double number = strtod(text, &end);

    if (length == 0 || end != text + length || text[length + strspn(end, blanks)] != '\0')
        return false;
    if (!isfinite(number))
        return false;
    *value = number;
    return true;
}

bool parse_whole(const char *text, uint64_t largest, uint64_t *value)
{
    text += strspn(text, blanks);
    size_t length = strspn(text, "0123456789");
    uint64_t number = 0;

    if (length == 0 || text[length + strspn(text + length, blanks)] != '\0')
        return false;
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > largest || number > (largest - digit) / 10)
            return false;
        number = 10 * number + digit;
    }
    *value = number;
    return true;
}
