/* A small piece of work for both kernels, whose right results are known: shared by the process tests. */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

/* Computes the right results on the calling thread alone. Call once, before anything else. */
void work_prepare(void);
/* Both kernels with so many threads; 0 if all bits are right, else the number of what went wrong, 1 to 4. */
int work(int32_t threads);

#endif
