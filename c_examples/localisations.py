"""A super-resolution image of single-molecule localisations, each as wide as it is uncertain.

    python localisations.py [--out PICTURE.pgm] [--threads N]

Molecules on two crossing filaments are localised from a number of photons each, with errors of the point-spread
function's width divided by the square root of that number: smaller across the plane of focus than along the
optical axis. Every localisation becomes a Gaussian with these errors as its own sigmas for z, y and x. The sum of its
samples is 1 ("mass"), so that the image counts molecules, wherever within a voxel they lie; voxels hold means
("voxel"), as most sigmas here are as small as a voxel.

Exit status: 0 done, 1 the result is not as expected, 3 the run failed.
"""

import argparse
import os
import sys

import numpy

try:
    import voxlane
except ImportError:  # as it lies in the source tree, if nothing is installed
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "include"))
    import voxlane

COUNT = 20000
BLUR = numpy.array([350.0, 130.0, 130.0])  # nanometres: the point-spread function along z, y, x
SHAPE, SPACING = (24, 300, 300), (25.0, 10.0, 10.0)
MARGIN = 200.0  # nanometres without molecules at each face


def simulate():
    """Positions of the localisations, and their standard errors along z, y, x, in nanometres."""
    random = numpy.random.default_rng(0)
    size = numpy.array(SHAPE) * SPACING
    along = random.random(COUNT)
    across = numpy.where(numpy.arange(COUNT) % 2, along, 1 - along)
    part = numpy.stack([along, across, along], axis=1)
    molecules = MARGIN + part * (size - 2 * MARGIN)
    photons = 200 + random.exponential(1500, COUNT)
    errors = BLUR / numpy.sqrt(photons)[:, None]
    return molecules + errors * random.standard_normal((COUNT, 3)), errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="where to write the image, summed along z, as a PGM picture")
    parser.add_argument("--threads", type=int, default=0, help="0: VOXLANE_THREADS, or all processors")
    arguments = parser.parse_args()
    centers, errors = simulate()
    try:
        # [readme-begin]
        image = voxlane.sum_gaussians(
            centers, errors, SHAPE, spacing=SPACING, normalization="mass", sampling="voxel", eps=1e-4,
            threads=arguments.threads,
        )  # molecules in each voxel
        # [readme-end]
        projection = image.sum(axis=0)
        if arguments.out is not None:
            with open(arguments.out, "wb") as file:
                file.write(b"P5 %d %d 255\n" % projection.shape[::-1])
                file.write((255 * numpy.sqrt(projection / projection.max())).astype(numpy.uint8).tobytes())
    except (voxlane.Error, MemoryError, OSError) as error:
        print(f"localisations.py: {error}", file=sys.stderr)
        return 3
    total = image.sum(dtype=float)
    print(f"localised_molecules: {total:.2f}")
    if abs(total / COUNT - 1) > 1e-6:
        print(f"localisations.py: the image holds {total} molecules, not {COUNT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
