"""The electron density of the atoms of a PDB file.

    python pdb_density.py [--input FILE] [--spacing ANGSTROM] [--out DENSITY.npy] [--threads N]

Each atom is a Gaussian whose integral is its electrons (its atomic number) and whose width follows from its temperature
factor B and the size of an atom: sigma**2 = B / (8 pi**2) + 0.3**2. Voxels hold the mean density over their volume, so
that sums over any part of the grid are electrons, however coarse the grid. With a CRYST1 record of a right-angled cell
the grid is that cell and repeats; otherwise it is a box around the atoms that cuts nothing off.

Without --input it takes a benzene molecule in its plane. Exit status: 0 done, 1 the result is not as expected, 2 bad
input, 3 the run failed.
"""

import argparse
import math
import os
import sys

import numpy

try:
    import voxlane
except ImportError:  # as it lies in the source tree, if nothing is installed
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "include"))
    import voxlane

ELEMENTS = (
    "H HE LI BE B C N O F NE NA MG AL SI P S CL AR K CA SC TI V CR MN FE CO NI CU ZN GA GE AS SE BR KR RB SR Y ZR NB MO "
    "TC RU RH PD AG CD IN SN SB TE I XE CS BA LA CE PR ND PM SM EU GD TB DY HO ER TM YB LU HF TA W RE OS IR PT AU HG TL "
    "PB BI PO AT RN FR RA AC TH PA U"
).split()
ATOM_SIZE = 0.3  # angstrom
EPS = 1e-8


class BadInput(Exception):
    """A file that cannot be used."""


def benzene():
    """The lines of a PDB file."""
    for element, radius in (("C", 1.397), ("H", 2.481)):
        for i in range(6):
            x, y = radius * math.cos(math.pi * i / 3), radius * math.sin(math.pi * i / 3)
            yield f"ATOM  {i + 1:5d}  {element:<3} BNZ A   1    {x:8.3f}{y:8.3f}{0:8.3f}  1.00{10:6.2f}          {element:>2}"


def read(lines):
    """Centres (z, y, x), electrons and sigmas of the atoms, and the cell's edges or None."""
    centers, electrons, sigmas, cell = [], [], [], None
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith("CRYST1"):
                edges = [float(line[at : at + 9]) for at in (24, 15, 6)]
                angles = [float(line[at : at + 7]) for at in (33, 40, 47)]
                if min(edges) > 1 and angles == [90, 90, 90]:  # 1 1 1: there is no crystal
                    cell = edges
            elif line.startswith(("ATOM  ", "HETATM")):
                element = line[76:78].strip().upper()
                if element not in ELEMENTS:
                    raise ValueError(f"no element {element!r} in columns 77 and 78")
                occupancy = float(line[54:60].strip() or 1)
                centers.append([float(line[at : at + 8]) for at in (46, 38, 30)])
                electrons.append(occupancy * (ELEMENTS.index(element) + 1))
                sigmas.append(math.sqrt(float(line[60:66].strip() or 0) / (8 * math.pi**2) + ATOM_SIZE**2))
            elif line.startswith("ENDMDL"):
                break
        except ValueError as error:
            raise BadInput(f"line {number}: {error}") from None
    if not centers:
        raise BadInput("no ATOM or HETATM record")
    return numpy.array(centers), numpy.array(electrons), numpy.array(sigmas), cell


def run(arguments):
    if not 0 < arguments.spacing < math.inf:
        raise BadInput(f"--spacing {arguments.spacing} is not above 0")
    if arguments.input is None:
        lines = benzene()
    else:
        try:
            with open(arguments.input, encoding="ascii", errors="replace") as file:
                lines = file.readlines()
        except OSError as error:
            raise BadInput(error) from None
    centers, electrons, sigmas, cell = read(lines)
    if cell is None:
        margin = math.sqrt(-2 * math.log(EPS)) * sigmas.max() + arguments.spacing
        origin = centers.min(axis=0) - margin
        shape = numpy.ceil((centers.max(axis=0) + margin - origin) / arguments.spacing).astype(int) + 1
        spacing = numpy.full(3, arguments.spacing)
    else:
        shape = numpy.maximum(1, numpy.round(numpy.array(cell) / arguments.spacing)).astype(int)
        origin, spacing = numpy.zeros(3), numpy.array(cell) / shape
    # [readme-begin]
    density = voxlane.sum_gaussians(
        centers, sigmas[:, None], shape, amplitudes=electrons, origin=origin, spacing=spacing,
        normalization="integral", sampling="voxel", periodic=cell is not None, eps=EPS, threads=arguments.threads,
    )  # electrons per cubic angstrom
    # [readme-end]
    total = density.sum(dtype=float) * spacing.prod()
    print(f"pdb_atoms: {len(centers)}")
    print("pdb_grid_zyx:", *shape)
    print(f"pdb_electrons: {total:.4f}")
    if arguments.out is not None:
        numpy.save(arguments.out, density)
    if abs(total - electrons.sum()) > 1e-5 * electrons.sum():
        print(f"pdb_density.py: the density holds {total} electrons, the atoms {electrons.sum()}", file=sys.stderr)
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", help="PDB file; by default a benzene molecule")
    parser.add_argument("--spacing", type=float, default=0.2, help="voxel edge in angstrom")
    parser.add_argument("--out", help="where to save the density, as a NumPy array")
    parser.add_argument("--threads", type=int, default=0, help="0: VOXLANE_THREADS, or all processors")
    arguments = parser.parse_args()
    try:
        return run(arguments)
    except BadInput as error:
        print(f"pdb_density.py: {arguments.input or 'benzene'}: {error}", file=sys.stderr)
        return 2
    except (voxlane.Error, MemoryError, OSError) as error:
        print(f"pdb_density.py: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
