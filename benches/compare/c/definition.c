/* The exact sum of Gaussians at some voxels: every centre, in double precision, no cutoff. Also the part of it that a
 * box or a ball of `reach` sigmas keeps, which is what the library promises to compute, what lies so near the support's
 * edge that rounding decides, and the number of centres kept. */

#include <math.h>
#include <stdint.h>

void exact_sums(const double *centers, const double *sigmas, const double *amplitudes, int64_t count,
                const double period[3] /* 0: none */, double reach, int ball, const double *points, int64_t points_count,
                double *sums, double *kept, double *unsure, double *number) {
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < points_count; p++) {
        double sum = 0, within = 0, edge = 0, near = 0;
        for (int64_t i = 0; i < count; i++) {
            double square = 0, farthest = 0;
            for (int axis = 0; axis < 3; axis++) {
                double d = points[3 * p + axis] - centers[3 * i + axis];
                if (period[axis] > 0) /* the nearest image; the others lie beyond any support here */
                    d -= period[axis] * nearbyint(d / period[axis]);
                d = fabs(d) / sigmas[i];
                square += d * d;
                farthest = d > farthest ? d : farthest;
            }
            if (square > 1400) /* exp(-700): nothing in a double next to what is nearer */
                continue;
            const double value = amplitudes[i] * exp(-0.5 * square);
            sum += value;
            if (ball)
                farthest = sqrt(square);
            if (fabs(farthest - reach) <= 1e-9 * reach) /* rounding decides whether it is kept */
                edge += fabs(value);
            else if (farthest < reach)
                within += value, near++;
        }
        sums[p] = sum, kept[p] = within, unsure[p] = edge, number[p] = near;
    }
}
