"""Prints size and alignment of every struct of voxlane.py, and offset and size of every field: one a line, as
tests/c/layout.c does for voxlane.h. Run with PYTHONPATH=include."""

import ctypes

import voxlane

NAMES = ("array", "array_mut", "steepest_options", "gaussians", "grid", "gaussian_options")
for name, struct in zip(NAMES, voxlane._STRUCTS, strict=True):
    print(f"voxlane_{name} {ctypes.sizeof(struct)} {ctypes.alignment(struct)}")
    for field, *_ in struct._fields_:
        place = getattr(struct, field)
        print(f"voxlane_{name}.{field} {place.offset} {place.size}")
