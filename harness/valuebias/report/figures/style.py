"""How figures look: colours that a page's theme can change, markers, and matplotlib's settings.

Matplotlib draws in stand-in colours, each of which becomes a CSS variable with a fallback, so that
one SVG serves light, dark and print. Nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_NAMED = {
    "--ink": "#1a1a1a",
    "--muted": "#595959",
    "--grid": "#d4d4d4",
    "--pass": "#00694f",
    "--fail": "#b23b00",
    "--unsure": "#7a5c00",
    "--surface": "#ffffff",
}
_SERIES = (  # after Okabe and Ito, the light ones darkened to be seen on white
    "#0072b2", "#d55e00", "#009e73", "#b8568f", "#a67300", "#2f8fc4", "#6b6b6b", "#7a5195",
)  # fmt: skip
_VARIABLES = {**_NAMED, **{f"--series-{i}": colour for i, colour in enumerate(_SERIES, 1)}}

STAND_INS: Mapping[str, str] = {
    f"#f{i:02x}b0d": f"var({name},{fallback})"
    for i, (name, fallback) in enumerate(_VARIABLES.items())
}
"""What each colour that is drawn with becomes in the page."""

INK, MUTED, GRID, PASS, FAIL, UNSURE, SURFACE, *SERIES = STAND_INS

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h")
DASHES = ("solid", (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)))
HATCH = "////"


def look(i: int) -> tuple[str, str]:
    """The colour and marker of the i-th of several: no two of the first 96 share both."""
    return SERIES[(i + i // 24) % len(SERIES)], MARKERS[i % len(MARKERS)]


VERDICTS: Mapping[str, tuple[str, str, bool]] = {
    "PASS": (PASS, "o", True),
    "FAIL": (FAIL, "X", True),
    "INCONCLUSIVE": (UNSURE, "D", False),
    "REPRODUCTION ONLY": (INK, "P", True),
    "NO MARGIN": (MUTED, "s", False),
    "NOT GATED": (MUTED, "o", False),
}
"""The colour and marker of each verdict, and whether the marker is filled."""


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever the user's are; theirs come back at the end."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "valuebias",
                "text.parse_math": False,
                "text.color": INK,
                "font.size": 10.5,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.edgecolor": MUTED,
                "axes.linewidth": 0.8,
                "axes.unicode_minus": False,
                "axes.facecolor": "none",
                "axes.axisbelow": True,
                "grid.color": GRID,
                "grid.linewidth": 0.6,
                "xtick.color": MUTED,
                "ytick.color": MUTED,
                "xtick.labelcolor": MUTED,
                "ytick.labelcolor": MUTED,
                "xtick.labelsize": 9.5,
                "ytick.labelsize": 9.5,
                "xtick.major.size": 3,
                "ytick.major.size": 3,
                "hatch.color": MUTED,
                "hatch.linewidth": 0.7,
                "lines.linewidth": 1.4,
                "lines.markersize": 5.5,
                "path.simplify": False,
                "path.snap": False,
            }
        )
        yield
