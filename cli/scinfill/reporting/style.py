"""How figures look: one set of colours that works on light and dark pages, one drawing for both."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1b1f24"
FAINT = "#d5dae0"
"""Lines and text in these two colours take the page's colours when a figure is part of a page."""

BASELINE_COLOURS = {"raw": "#848b94", "gene-mean": "#b08d57", "svd-10": "#9a7fc0"}
INPUT_COLOURS = (
    *("#2f81e0", "#e4572e", "#1b9e77", "#d23f90", "#c79a00", "#17a2b8", "#8a6d3b", "#7d4ff0", "#7a8b2a", "#f08a8a"),
)
LABEL_COLOURS = (
    *("#2f81e0", "#e4572e", "#1b9e77", "#d23f90", "#c79a00", "#17a2b8", "#9a7fc0", "#7a8b2a", "#b5651d", "#848b94"),
    *("#7fb3f0", "#f2a38b", "#7fd1b5", "#ee9ac4", "#e6c866", "#7ed4e0", "#c9b8e0", "#b9c96a", "#dba676", "#c3c8ce"),
)

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "scinfill",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a dollar in a gene's name is a dollar
}
LONGEST_NAME = 26
LONGEST_FILE_NAME = 120
PNG_DPI = 200
POINTS_DPI = 150


def house_style() -> AbstractContextManager[None]:
    """Draw and save in our colours and fonts inside the block."""
    return rc_context(SETTINGS)


def new_figure(width: float, height: float, n_rows: int = 1, n_columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure (inches) in the house style and its axes, row by row; to be called in :func:`house_style`."""
    figure = Figure(figsize=(width, height), dpi=POINTS_DPI)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    return figure, list(axes.ravel())


def short(name: str) -> str:
    """Return a name that leaves room for the drawing: the middle of a long one is left out."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}…{name[-8:]}"


def file_safe(text: str) -> str:
    """Return letters, digits, dots and dashes, as any file system and any address takes them, not too many."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "_" for letter in text)
    return plain[:LONGEST_FILE_NAME]


def colours(names: Sequence[str], series: Sequence[str]) -> dict[str, str]:
    """Return a colour for every estimate; one series keeps its colour under every estimate."""
    inputs = [name for name in dict.fromkeys(series) if name not in BASELINE_COLOURS]
    of_series = BASELINE_COLOURS | {
        name: INPUT_COLOURS[number % len(INPUT_COLOURS)] for number, name in enumerate(inputs)
    }
    return {name: of_series[one] for name, one in zip(names, series, strict=True)}


def svg(figure: Figure) -> bytes:
    """Return a figure as an SVG file on white that depends on nothing but its content."""
    target = BytesIO()
    with house_style():
        figure.savefig(target, format="svg", facecolor="white", metadata={"Date": None})
    return target.getvalue()


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file on white."""
    target = BytesIO()
    with house_style():
        figure.savefig(target, format="png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
    return target.getvalue()


def inline(drawn: bytes, prefix: str) -> str:
    """Return an SVG file as part of a page: its own identifiers, no background, ink and grid in the page's colours."""
    text = drawn.decode()
    body = text[text.index("<svg") :]
    body = body.replace('style="fill: #ffffff"', 'style="fill: none"', 1)  # the whole figure's, which comes first
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", body)
    body = body.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    return _sized(body)


def _sized(body: str) -> str:
    """Let the page scale the drawing: it keeps its view box, and its size only as a limit.

    The page's style sheet needs the natural width where a small screen would make the letters too small to read.
    """
    opening, rest = body.split(">", 1)
    width = re.search(r'\swidth="([\d.]+)pt"', opening)
    opening = re.sub(r'\s(width|height)="[^"]*"', "", opening)
    limits = f' style="--natural: {float(width[1]):.0f}px; max-width: {1.5 * float(width[1]):.0f}px"' if width else ""
    return f"{opening}{limits}>{rest}"
