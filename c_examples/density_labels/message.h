/* One-line messages and the exit statuses of density_labels. */
#ifndef MESSAGE_H
#define MESSAGE_H

enum exit_status {
    DONE = 0,
    CHECK_FAILED = 1, /* C60: not every atom has its maximum */
    BAD_INPUT = 2,    /* a wrong option, or a file that cannot be read as atoms */
    RUN_FAILED = 3    /* out of memory, a picture not written, a library call refused */
};

/* Writes "density_labels: " and the text to stderr as exactly one line (control characters, which
 * a hostile file or file name may hold, become '?') and returns `status`. */
enum exit_status complain(enum exit_status status, const char *format, ...);

#endif
