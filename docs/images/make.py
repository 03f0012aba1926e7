"""The pictures of a report at the top of the README, in both themes.

    python docs/images/make.py [--page FILE]

Runs the three embedded models through the Big Two suite, opens the page of that run in headless
Chromium (which must be installed, and the extra `test`), and photographs its first screen with the
upper half of its first figure into report-light.png and report-dark.png beside this file.
Everything on them is the product's own; left out between the two are the contents, the list of what
did not pass and the command. --page takes a page that was made before instead.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
MODELS = ("--rm=demo:agency", "--rm=demo:communion", "--rm=demo:neutral")
WIDTH = 1000
LIMIT = 250_000
LEAVE_OUT = (
    "#contents, #open-verdicts, #meaning, #ungated, .made, .command, section.lexicon > .lead, "
    "#theme, figure.figure .told"
)
"""What stands between the outcome and the first figure, or needs a browser."""


def make_page(folder: Path) -> Path:
    """The page of a run over the embedded models."""
    page = folder / "report.html"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *MODELS,
         "--valuebias-suite=big_two", f"--valuebias-html={page}"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return page


def photograph(page: Page) -> bytes:
    """From the top of the page to the middle of its first figure: the positive prompts."""
    page.locator(LEAVE_OUT).evaluate_all("all => all.forEach(one => { one.hidden = true })")
    box = page.locator("figure.figure svg").first.bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2 - 12  # above the next title
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height}
    return page.screenshot(clip=clip, full_page=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page that is there already")
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is not installed.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = args.page.resolve() if args.page else make_page(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 900}, device_scale_factor=2, color_scheme=theme
            )
            page.goto(path.as_uri())
            out = HERE / f"report-{theme}.png"
            with Image.open(io.BytesIO(photograph(page))) as shot:
                few = shot.convert("RGB").quantize(128, dither=Image.Dither.NONE)
            few.save(out, optimize=True)
            print(f"{out.name}: {few.width} x {few.height}, {out.stat().st_size:,} bytes")
            if out.stat().st_size > LIMIT:
                raise SystemExit(f"{out.name} is over {LIMIT:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
