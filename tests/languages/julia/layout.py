"""Compares the structs that a binding writes out with those of voxlane.h, without running the binding.

    python layout.py include/voxlane.h include/Voxlane.jl

Both are parsed to lists of (field, offset, size), by the rules of C on a 64-bit machine. Julia lays isbits structs out
by the same rules.
"""

import re
import sys

C_SIZES = {"size_t": 8, "ptrdiff_t": 8, "int32_t": 4, "double": 8, "voxlane_progress_fn": 8}
JULIA_SIZES = {"Csize_t": 8, "Cptrdiff_t": 8, "Int32": 4, "Float64": 8}
# Which Julia type may stand for which C type: the same size is not enough.
JULIA_FOR_C = {
    "size_t": "Csize_t", "ptrdiff_t": "Cptrdiff_t", "int32_t": "Int32", "double": "Float64",
    "voxlane_array_mut": "CArray", "voxlane_array": "CArray", "voxlane_progress_fn": "Ptr",
}  # fmt: skip
STRUCTS = {
    "voxlane_array": "CArray",
    "voxlane_array_mut": "CArray",
    "voxlane_steepest_options": "CSteepestOptions",
    "voxlane_gaussians": "CGaussians",
    "voxlane_grid": "CGrid",
    "voxlane_gaussian_options": "CGaussianOptions",
}


def lay_out(fields, sizes):
    """(name, type, count, offset) of each field, and the size; sizes has (size, alignment) of nested structs."""
    offset, largest, placed = 0, 1, []
    for name, kind, count in fields:
        size, alignment = sizes[kind]
        offset += -offset % alignment
        placed.append((name, kind, count, offset))
        offset += size * count
        largest = max(largest, alignment)
    return placed, (offset + -offset % largest, largest)


def c_structs(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", text, flags=re.S):
        fields = []
        for declaration in filter(None, (each.strip() for each in body.split(";"))):
            parts = re.fullmatch(r"(?:const )?(?:struct )?(\w+)\s*(\*?)\s*(\w+)(?:\[(\d+)\])?", declaration)
            kind = "Ptr" if parts[2] else parts[1]
            fields.append((parts[3], kind, int(parts[4] or 1)))
        found[name] = fields
    return found


def julia_structs(text):
    found = {}
    for name, body in re.findall(r"^struct (C\w+)[^\n]*\n(.*?)^end", text, flags=re.S | re.M):
        fields = []
        for line in filter(None, (each.strip() for each in body.splitlines())):
            field, kind = re.fullmatch(r"(\w+)::(.+)", line).groups()
            tuple_of = re.fullmatch(r"NTuple\{(\d+),\s*(\w+)\}", kind)
            count, kind = (int(tuple_of[1]), tuple_of[2]) if tuple_of else (1, kind)
            fields.append((field, "Ptr" if kind.startswith("Ptr{") else kind, count))
        found[name] = fields
    return found


def all_layouts(structs, basic):
    sizes = {name: (size, size) for name, size in basic.items()}
    sizes["Ptr"] = (8, 8)
    layouts, left = {}, dict(structs)
    while left:
        ready = [name for name, fields in left.items() if all(kind in sizes for _, kind, _ in fields)]
        assert ready, f"unknown types in {sorted(left)}"
        for name in ready:
            layouts[name], sizes[name] = lay_out(left.pop(name), sizes)
    return layouts, sizes


with open(sys.argv[1], encoding="utf-8") as header, open(sys.argv[2], encoding="utf-8") as binding:
    c, c_sizes = all_layouts(c_structs(header.read()), C_SIZES)
    julia, julia_sizes = all_layouts(julia_structs(binding.read()), JULIA_SIZES)

assert set(c) == set(STRUCTS), f"structs of the header: {sorted(c)}"
assert set(julia) == set(STRUCTS.values()), f"structs of the binding: {sorted(julia)}"
for c_name, julia_name in STRUCTS.items():
    expected = [(name, JULIA_FOR_C.get(kind, kind), count, offset) for name, kind, count, offset in c[c_name]]
    assert julia[julia_name] == expected, f"{c_name}:\n{expected}\n{julia_name}:\n{julia[julia_name]}"
    assert c_sizes[c_name] == julia_sizes[julia_name], c_name
assert [c_sizes[name][0] for name in STRUCTS] == [64, 64, 120, 80, 112, 72]
print(f"Voxlane.jl: {len(STRUCTS)} struct layouts equal those of voxlane.h")
