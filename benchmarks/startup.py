"""What the plugin costs a pytest run that does not use it.

    python benchmarks/startup.py [--quick] [--json FILE]

Bare pytest and pytest with the plugin are run in turn; a figure is the median of the paired
differences in CPU time (user and system), which a busy neighbour disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET_MS = 50.0


def cpu_seconds(folder: Path, args: list[str]) -> float:
    """CPU time of one pytest run with no plugin but those named."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs; figures are not judged")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rounds = 3 if options.quick else 21
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_one.py").write_text("def test_one(): pass\n")
        for title, args in (("pytest --help", ["--help"]), ("one empty test", ["-q"])):
            differences = []
            for _ in range(rounds + 1):
                bare = cpu_seconds(folder, args)
                ours = cpu_seconds(folder, ["-p", "pytest_valuebias.plugin", *args])
                differences.append(1000 * (ours - bare))
            differences = differences[1:]  # the first round writes byte code
            value = statistics.median(differences)
            target = None if options.quick else TARGET_MS
            figures.append(
                {
                    "name": f"cost of the plugin, {title}",
                    "value": round(value, 1),
                    "unit": "ms of CPU time",
                    "target": target,
                    "met": None if target is None else value < target,
                }
            )
            print(
                f"{title}: {value:+.1f} ms (median of {rounds}; "
                f"{min(differences):+.1f} to {max(differences):+.1f})"
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
