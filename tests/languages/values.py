"""The numbers that the bindings write out are those of voxlane.h. Run with PYTHONPATH=include."""

import pathlib
import re
import sys

import voxlane

include = pathlib.Path(sys.argv[1])
defined = re.compile(r"^#define (VOXLANE_\w+) (-?\d+)$", re.MULTILINE)
header = {name: int(value) for name, value in defined.findall((include / "voxlane.h").read_text())}
assert len(header) > 40, sorted(header)


def expect(found, what):
    for name, value in found.items():
        assert header[name] == value, f"{what}: {name} is {value}, in voxlane.h {header[name]}"
    return len(found)


def prefixed(prefix, names, renamed=()):
    """{VOXLANE_<prefix>_<NAME>: number} of a binding's {name: number}."""
    return {f"VOXLANE_{prefix}{dict(renamed).get(name, name).upper()}": value for name, value in names.items()}


# Fortran: every name of the header, as it is. The version is the library's to tell.
fortran_text = (include / "voxlane.f90").read_text()
fortran = {name: int(value) for name, value in re.findall(r"\b(VOXLANE_[A-Z0-9_]+) = (-?\d+)", fortran_text)}
fortran["VOXLANE_ABI_VERSION"] = fortran.pop("VOXLANE_ABI")
count = expect(fortran, "voxlane.f90")
missing = set(header) - set(fortran) - {f"VOXLANE_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH")}
assert not missing, f"voxlane.f90 lacks {sorted(missing)}"

# Python and Julia: tables by what an option means.
TABLES = {
    "DIRECTIONS": "", "MINIMA": "MINIMA_", "BORDERS": "BORDER_", "NORMALIZATIONS": "NORM_", "SUPPORTS": "SUPPORT_",
    "SAMPLINGS": "SAMPLE_", "ISAS": "ISA_",
}  # fmt: skip
julia_text = (include / "Voxlane.jl").read_text()
for table, prefix in TABLES.items():
    python = getattr(voxlane, f"_{table}")
    body = re.search(rf"^const {table} = \((.*)\)$", julia_text, re.MULTILINE)[1]
    julia = {name: int(value) for name, value in re.findall(r"(\w+)=Int32\((\d+)\)", body)}
    assert python == julia, f"{table}: {python} in Python, {julia} in Julia"
    assert len(python) == sum(re.fullmatch(rf"VOXLANE_{prefix}\w+", name) is not None for name in header) or not prefix
    count += 2 * expect(prefixed(prefix, python), f"{table} of voxlane.py")

types = {f"{kind.kind}{8 * kind.itemsize}": number for kind, number in voxlane._ELEMENT_TYPES.items()}
count += expect(prefixed("", types), "voxlane.py")
julia_types = re.findall(r"^element_type\(::Type\{(U?)(Int|Float)(\d+)\}\) = Int32\((\d)\)", julia_text, re.MULTILINE)
assert len(julia_types) == len(types)
for unsigned, kind, bits, number in julia_types:
    letter = "F" if kind == "Float" else "U" if unsigned else "I"
    count += expect({f"VOXLANE_{letter}{bits}": int(number)}, "Voxlane.jl")
others = {"VOXLANE_ABI_VERSION": "ABI", "VOXLANE_LABEL_CENTER": "CENTER", "VOXLANE_LABEL_MASKED": "MASKED"}
for name, constant in others.items():
    count += expect({name: int(re.search(rf"^const {constant} = (\d+)$", julia_text, re.MULTILINE)[1])}, "Voxlane.jl")
python_others = {"ABI_VERSION": voxlane._ABI, "LABEL_CENTER": voxlane.CENTER, "LABEL_MASKED": voxlane.MASKED}
count += expect(prefixed("", python_others), "voxlane.py")
print(f"bindings: {count} numbers equal those of voxlane.h")
