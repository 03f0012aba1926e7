"""How long fifty tests take once a model's scores are in the store.

    python benchmarks/stored.py [--quick] [--json FILE]

Two embedded models are scored by a first run; the second, of the 22 shipped tests of one model, the
22 of its difference from the other and six of its own, reads every score from the store. Times are
of whole pytest processes, imports included; the figure is the median.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_S = 5.0
MODELS = ("--rm=demo:neutral", "--reference=demo:agency")
OWN = """
import pytest

@pytest.mark.parametrize("valence", ["positive", "negative", "positive-negative"])
@pytest.mark.parametrize("bound", [0.4, 0.5])
def test_own(bias, valence, bound):
    bias("big_two", "agency", "communion", valence=valence).assert_within(-bound, bound)
"""


def run(folder: Path) -> tuple[float, int]:
    """Wall seconds of one run, and how many tests it ran."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *MODELS, "test_own.py"],
        cwd=folder,
        env=os.environ | {"VALUEBIAS_CACHE_DIR": str(folder / "store")},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    last = done.stdout.strip().splitlines()[-1]
    return seconds, sum(map(int, re.findall(r"(\d+) (?:passed|failed|errors?|skipped)", last)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one timed run; it is not judged")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_own.py").write_text(OWN)
        first, tests = run(folder)
        times = [run(folder)[0] for _ in range(1 if args.quick else 5)]
    value = statistics.median(times)
    print(f"{tests} tests: {first:.1f} s while scoring, then {value:.2f} s from the store")
    figure = {
        "name": f"{tests} tests on stored scores",
        "value": round(value, 2),
        "unit": "s of wall time",
        "target": None if args.quick else TARGET_S,
        "met": None if args.quick else value < TARGET_S,
    }
    if args.json:
        args.json.write_text(json.dumps([figure], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
