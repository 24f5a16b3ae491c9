"""Local minima of a magnetic resonance image: where they are, how far they reach, how dense they lie.

    python mri.py [--input FILE] [--out FOLDER] [--threads N]

Every voxel of the head gets the number of the neighbour to which the intensity falls most steeply, with distances in
millimetres. Followed from voxel to voxel, the labels lead to a minimum: its basin are the voxels that arrive. Each
minimum then becomes a Gaussian of integral 1, once with one width for all, and once each with the radius of its own
basin. The picture shows three slices through the middle, coloured by label: the amounts of red, green and blue are the
direction's x, y and z; minima are white.

Without --input it takes the image that comes with nibabel for its own tests. Exit status: 0 done, 1 the result is not
as expected, 2 bad input, 3 the run failed.
"""

import argparse
import os
import struct
import sys
import zlib

import numpy

try:
    import voxlane
except ImportError:  # as it lies in the source tree, if nothing is installed
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "include"))
    import voxlane

HEAD = 200  # intensity above which a voxel is not air
WIDTH = 6.0  # millimetres, of the density's Gaussians


class BadInput(Exception):
    """An image that cannot be used."""


def read(path):
    """The first volume of an image, axes z, y, x, and the voxel size along them in millimetres."""
    try:
        import nibabel
    except ImportError:
        raise BadInput("reading images needs nibabel: pip install nibabel") from None
    if path is None:
        path = os.path.join(os.path.dirname(nibabel.__file__), "tests", "data", "example4d.nii.gz")
    try:
        image = nibabel.load(path)
        values = image.dataobj.get_unscaled()
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise BadInput(f"{path}: {error}") from None
    if values.ndim == 4:
        values = values[..., 0]
    if values.ndim != 3:
        raise BadInput(f"{path}: {values.ndim} axes, not 3 or 4")
    # Turned, not copied: NIfTI has x first and fastest.
    return values.T, tuple(float(size) for size in image.header.get_zooms()[2::-1])


def basins(labels):
    """For each voxel the flat index of the voxel where its way ends."""
    steps = numpy.arange(27)
    offsets = numpy.stack([steps // 9 - 1, steps // 3 % 3 - 1, steps % 3 - 1])
    offset = numpy.append(numpy.array([labels.shape[1] * labels.shape[2], labels.shape[2], 1]) @ offsets, 0)
    target = numpy.arange(labels.size) + offset[labels.ravel()]
    while True:
        # Each round doubles the steps taken.
        further = target[target]
        if numpy.array_equal(further, target):
            return target
        target = further


def colours(labels):
    """Red, green and blue of each label."""
    palette = numpy.zeros((28, 3), numpy.uint8)
    for label in range(27):
        z, y, x = numpy.unravel_index(label, (3, 3, 3))
        palette[label] = 45 + numpy.multiply((x, y, z), 85)  # black is for what is not head
    palette[voxlane.CENTER] = 255
    return palette[labels]


def write_png(path, pixels):
    """Writes an array (rows, columns, 3) of uint8."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows, columns, _ = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def picture(labels, spacing, scale=3):
    """Three slices side by side, voxels about in proportion to their size, the head's top up."""
    slices = []
    for axis in range(3):
        pixels = colours(numpy.take(labels, labels.shape[axis] // 2, axis))[::-1]
        rows, columns = (round(scale * size / min(spacing)) for i, size in enumerate(spacing) if i != axis)
        slices.append(pixels.repeat(rows, axis=0).repeat(columns, axis=1))
    height = max(each.shape[0] for each in slices)
    frame = 4 * scale
    padded = []
    for each in slices:
        above, rest = divmod(height - each.shape[0], 2)
        padded.append(numpy.pad(each, ((frame + above, frame + above + rest), (frame, frame), (0, 0))))
    return numpy.concatenate(padded, axis=1)


def run(arguments):
    image, spacing = read(arguments.input)
    head = image > HEAD
    threads = arguments.threads
    # [readme-begin]
    labels = voxlane.steepest(image, minima="flat", border="inside", spacing=spacing, mask=head, threads=threads)
    minima = numpy.argwhere(labels == voxlane.CENTER)
    centers = minima * numpy.array(spacing)
    density = voxlane.sum_gaussians(
        centers, WIDTH, image.shape, spacing=spacing, normalization="integral", dtype="f8", threads=threads
    )
    # [readme-end]
    ends = basins(labels)
    volume = numpy.prod(spacing) * numpy.bincount(ends, minlength=labels.size)[labels.ravel() == voxlane.CENTER]
    radius = (3 * volume / (4 * numpy.pi)) ** (1 / 3)
    localisations = numpy.zeros(image.shape)
    voxlane.sum_gaussians(
        centers, radius[:, None], spacing=spacing, normalization="integral", out=localisations, threads=threads
    )
    path = os.path.join(arguments.out, "mri_labels.png")
    write_png(path, picture(labels, spacing))

    print(f"voxlane: {voxlane.version()}")
    print(f"tier: {voxlane.active_isa()}")
    print("grid_zyx:", *image.shape)
    print("spacing_zyx:", *(f"{size:.3g}" for size in spacing))
    print(f"voxels_of_head: {numpy.count_nonzero(head)}")
    print(f"local_minima: {len(minima)}")
    print(f"mean_basin: {volume.mean():.3f}")
    print(f"largest_basin: {volume.max():.3f}")
    print(f"density_integral: {density.sum() * numpy.prod(spacing):.3f}")
    print(f"densest: {density.max():.6e}")
    print(f"localisations_integral: {localisations.sum() * numpy.prod(spacing):.3f}")
    print(f"labels_png: {path}")

    arrived = numpy.count_nonzero(labels.ravel()[ends] == voxlane.CENTER)
    if arrived != numpy.count_nonzero(head):
        print(f"mri.py: {arrived} of {numpy.count_nonzero(head)} voxels arrive at a minimum", file=sys.stderr)
        return 1
    # What lies outside the grid is lost, and nothing is gained.
    if not 0.8 * len(minima) < density.sum() * numpy.prod(spacing) < 1.0001 * len(minima):
        print("mri.py: the density's integral is not the number of minima", file=sys.stderr)
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", help="NIfTI image; by default nibabel's example4d.nii.gz")
    parser.add_argument("--out", default=".", help="folder for the picture")
    parser.add_argument("--threads", type=int, default=0, help="0: VOXLANE_THREADS, or all processors")
    try:
        return run(parser.parse_args())
    except BadInput as error:
        print(f"mri.py: {error}", file=sys.stderr)
        return 2
    except (voxlane.Error, OSError, TypeError) as error:
        print(f"mri.py: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
