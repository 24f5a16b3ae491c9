"""Where things are. Standard library only."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
#: Everything that a run makes and that is not kept.
WORK = TARGET / "compare"
BUILD = WORK / "build"
DATA = WORK / "data"
RESULTS = HERE / "results"
