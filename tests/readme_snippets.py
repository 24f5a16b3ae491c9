"""The README's examples are lines of files that the tests run.

    python tests/readme_snippets.py            fails if a fence differs from its file
    python tests/readme_snippets.py --write    copies the lines into the README

In the README, a fence belongs to a file by the comment before it:

    <!-- snippet: c_examples/anisotropic_mask.cpp -->
    ```cpp
    ...
    ```

In the file, the lines are those between two comments [readme-begin] and [readme-end], without their common indent.
"""

import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r"(<!-- snippet: (\S+) -->\n+```\w*\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)
MARKED = re.compile(r"^[^\n]*\[readme-begin\][^\n]*\n(.*?)^[^\n]*\[readme-end\]", re.DOTALL | re.MULTILINE)

#: Files with marked lines; each must be shown.
SNIPPETS = [
    "c_examples/density_labels.c",
    "c_examples/rock_salt.c",
    "c_examples/anisotropic_mask.cpp",
    "c_examples/slabs.cpp",
    "c_examples/sheared_lattice.f90",
    "c_examples/mri.py",
    "c_examples/pdb_density.py",
    "c_examples/localisations.py",
    "c_examples/mri.jl",
    "tests/languages/link.sh",
    "tests/languages/consumer/CMakeLists.txt",
]


def marked_lines(name):
    blocks = MARKED.findall((ROOT / name).read_text(encoding="utf-8"))
    assert len(blocks) == 1, f"{name} has {len(blocks)} blocks between [readme-begin] and [readme-end], not 1"
    return textwrap.dedent(blocks[0])


def main():
    marked = {name: marked_lines(name) for name in SNIPPETS}
    readme = ROOT / "README.md"
    if not readme.exists():
        print("SKIPPED: there is no README.md to compare examples with")
        return 0
    text = readme.read_text(encoding="utf-8")
    if "<!-- snippet:" not in text:
        print("SKIPPED: README.md shows no examples from files")
        return 0
    shown = [name for _, name, _, _ in FENCE.findall(text)]
    unknown = sorted(set(shown) - set(marked))
    assert not unknown, f"README.md shows files without marked lines: {unknown}"

    written = FENCE.sub(lambda fence: fence[1] + marked[fence[2]] + fence[4], text)
    if "--write" in sys.argv[1:]:
        readme.write_text(written, encoding="utf-8")
    missing = sorted(set(marked) - set(shown))
    if missing:
        print(f"README.md does not show {', '.join(missing)}", file=sys.stderr)
        return 1
    if written != text and "--write" not in sys.argv[1:]:
        print(
            "README.md differs from the files it shows; tests/readme_snippets.py --write copies them", file=sys.stderr
        )
        return 1
    print(f"README.md: {len(shown)} examples are lines of tested files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
