"""An explanation as one page, PDF and HTML that needs nothing but itself. Nothing is computed here.

The page is for teaching. It speaks about networks, never about a patient: the note in ``NOT_FOR_DIAGNOSIS`` stands on
every page.
"""

import re
import warnings
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from leadwise.attribution import METHODS
from leadwise.attribution.registry import FIRST
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.networks.network import Network
from leadwise.networks.weights import ECG_MODELS
from leadwise.paths import checkout, whole_file
from leadwise.plotting import plot_ecg
from leadwise.plotting.sheet import CourseFigure, fold
from leadwise.plotting.style import INK, printable
from leadwise.report.explanation import NOT_FOR_DIAGNOSIS, Explanation, explain_ecg, percent_of
from leadwise.semantics import NAMED

A4 = (210.0, 297.0)  # mm
MARGIN, FOOT, GAP = 11.0, 8.0, 6.0  # mm: at the sides, at the bottom, and between the two columns of the foot
COLUMN = (A4[0] - 2 * MARGIN - GAP) / 2  # mm: bars and words on the left, the matrix and what follows on the right
TALLEST_ECG, LOWEST_ECG = 143.0, 95.0  # mm
HEAD, BARS = 34.0, 8.0  # mm: title, note and answer; heading of the bars and the gaps around them
BAR = 4.6  # mm, one network
SIZES = (7.6, 7.2, 6.6, 6.0, 5.8, 5.4, 5.0)  # points, of the words: the first with which the foot holds them all
DPI = 254  # 10 pixels a millimetre
TRUST = {"published": "published weights", "embedded": "embedded weights, trained on simulated ECGs"}


@dataclass(frozen=True, eq=False, repr=False)
class OnePage:
    """A saved page. In a notebook it shows itself.

    Parameters
    ----------
    explanation : what it says
    page : the page as a figure, A4
    pdf, html : the files
    """

    explanation: Explanation
    page: CourseFigure
    pdf: Path
    html: Path

    def __repr__(self):
        return f"OnePage({self.pdf.name}, {self.html.name})"

    def _repr_png_(self):
        with _any_letter():
            return self.page._repr_png_()


def report(
    ecg: ECG,
    models: Mapping[str, torch.nn.Module | Network] | Sequence[str] | None = None,
    *,
    method: str = "lrp_epsilon",
    explain: str | None = None,
    score: str = "log-odds",
    start: float = 0.0,
    weights: str = "auto",
    folder: str | Path | None = None,
    dated: str | None = None,
    despite_errors: bool = False,
    **parameters: Any,
) -> OnePage:
    """Check and explain a recording, and save one page about it as PDF and HTML.

    Parameters
    ----------
    ecg : the whole recording, as read; a calibration pulse at its ends is cut off, and it is resampled to 500 Hz and
        preprocessed here
    models : networks by name, or names of ``ECG_MODELS``; None: all four. A module that does not say what it takes is
        asked as the course's networks are: twelve leads, 4 s at 500 Hz, filtered
    method : key of ``METHODS``
    explain : the network to explain, or "network: class"; None: what has the highest probability
    score : what is explained of it: the "log-odds" of its pathology, which its answer depends on, or the "logit" alone
    start : s, where the window starts
    weights : as for ``load_ecg_model``
    folder : where to; by default ``plots/reports`` of the checkout, or of the working folder
    dated : what the page gives as its date; today by default
    despite_errors : explain a recording that failed a check, where that is possible at all
    parameters : of the method

    Returns
    -------
    OnePage : with the paths of both files

    Raises
    ------
    RecordError : the recording failed a check; the message names it
    ValueError : an unknown network, method or parameter, or a window that does not fit
    """
    explanation = explain_ecg(
        ecg, models, method=method, explain=explain, score=score, start=start, weights=weights,
        despite_errors=despite_errors, **parameters,
    )  # fmt: skip
    return save_page(explanation if dated is None else replace(explanation, dated=dated), folder)


def save_page(explanation: Explanation, folder: str | Path | None = None) -> OnePage:
    """Save the page about an explanation as PDF and HTML, without computing any of it again.

    Parameters
    ----------
    explanation : from :func:`explain_ecg`
    folder : as for :func:`report`

    Returns
    -------
    OnePage : with the paths of both files
    """
    folder = Path(folder).expanduser() if folder else (checkout() or Path.cwd()) / "plots" / "reports"
    stem = folder / file_name(explanation.name)
    pictures = _pictures(explanation)
    html, page, pdf = to_html(explanation, pictures), draw_page(explanation, pictures), BytesIO()
    with _any_letter():
        page.savefig(
            pdf,
            format="pdf",
            dpi=DPI,  # else the pictures are resampled to the screen's
            metadata={"CreationDate": None, "Creator": "leadwise", "Title": printable(explanation.name)},
        )
    files = {".pdf": pdf.getvalue(), ".html": html.encode()}
    paths = [_write(stem.with_name(stem.name + ending), content) for ending, content in files.items()]
    return OnePage(explanation, page, *paths)


def file_name(name: str) -> str:
    """Return a recording's name as a file's name without extension: letters, digits, "-", "_" and "." alone."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")[:80] or "recording"


# What both pages say, in words


def _facts(e: Explanation) -> list[tuple[str, str]]:
    """Return (heading, text) in the order of the page."""
    row = METHODS[e.method]
    first = {p.name: p.default for p in FIRST if "input_rule" in e.parameters}  # told where it was chosen
    told = {key: value for key, value in e.parameters.items() if value is not None and first.get(key) != value}
    settings = ", ".join(f"{key.replace('_', ' ')} = {value}" for key, value in told.items())
    weights = TRUST.get(e.sources[e.model], e.sources[e.model])
    network = f"the {e.model} network ({ECG_MODELS.get(e.model, 'your own')}; {weights})"
    window = f"{e.start:g} to {e.stop:g} s, {e.filters}"
    by = f"{row.title} ({settings})" if settings else row.title
    facts = [
        ("Recording", f"{e.name}: {window}. {e.quality.verdict[0].upper()}{e.quality.verdict[1:]}"),
        ("What is explained", f"The {e.score} of the pathology of {network}, by {by}."),
        (e.heading, e.sentence),
        ("Measured beside the criteria", _measured(e)),
        ("Are these probabilities?", e.calibration),
        ("On real recordings", e.real),
    ]
    facts += [("Mind", f"{e.caveat}.")] if e.caveat else []
    for found in e.quality.findings:
        text = "; ".join(filter(None, (f"{found.check}: {found.measured}", found.advice)))
        facts.append((f"Check: {found.severity}", f"{text.rstrip('.')}."))
    facts += [
        ("Method", row.citation),
        (
            "Made",
            f"{e.dated} with {', '.join(f'{name} {number}' for name, number in e.versions.items())}.",
        ),
    ]
    return facts


def _measured(e: Explanation) -> str:
    """Return what was measured, criteria that say the same together: those of both blocks measure QRS."""
    said: dict[str, list[str]] = {}
    for name, text in e.measured.items():
        said.setdefault(text, []).append(name)
    lines = [f"{', '.join(names)}: {text}." for text, names in said.items()]
    return " ".join(lines)


def plot_explanation(e: Explanation, **options: Any) -> CourseFigure:
    """Return the explained window on ECG paper with its relevance; options as for ``plot_ecg``."""
    whole = np.zeros(e.ecg.signal.shape, np.float32)  # so that the times are the recording's
    first, rows = round(e.start * e.ecg.fs), [LEADS.index(lead) for lead in e.leads]
    whole[rows, first : first + e.relevance.shape[1]] = e.relevance
    title = f"{e.heading}: {METHODS[e.method].title}"
    shown: dict[str, Any] = {"title": title, "start": e.start, "stop": e.stop}
    return plot_ecg(e.ecg, whole, **shown | options)


def _pictures(e: Explanation) -> tuple[CourseFigure, CourseFigure]:
    """Return the ECG with its relevance, as large as the words leave room for it, and the lead x wave matrix."""
    with _any_letter():
        facts, matrix = _facts(e), e.matrix.plot(title="Lead x wave matrix")
        taken = BARS + BAR * len(e.probabilities), _shown_height(matrix, COLUMN) + 2
        needed = min(foot for foot in range(60, 190, 2) if foot > 180 or _flow(facts, 7.2, foot, taken))
        room = A4[0] - 2 * MARGIN, max(LOWEST_ECG, min(TALLEST_ECG, A4[1] - HEAD - FOOT - needed))
        _, ecg = max((_fitted(e, columns, room) for columns in (2, 3)), key=lambda fitted: fitted[0])
        return ecg, matrix


def _fitted(e: Explanation, columns: int, room: tuple[float, float]) -> tuple[float, CourseFigure]:
    """Return the scale at which the ECG fits into width and height, mm, and the ECG so drawn."""
    scale, fits = 0.8, 0.0
    while fits < 1 and scale > 0.2:  # words around the paper keep their size, so that sizes are not in proportion
        ecg = plot_explanation(e, scale=scale, columns=columns)
        fits = min(space / (25.4 * side) for space, side in zip(room, ecg.get_size_inches(), strict=True))
        used, scale = scale, max(0.2, min(scale - 0.01, int(100 * scale * fits) / 100))
    return used, ecg


# HTML

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; color: #111 }
h1 { font-size: 1.4rem } figure { margin: 1rem 0 } img { max-width: 100%; height: auto }
.note { border-left: 5px solid #a33b00; padding: .3rem .8rem; background: #fdf3ee }
table { border-collapse: collapse } td, th { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top }
meter { width: 10rem } dt { font-weight: 600; margin-top: .5rem } dd { margin: 0; overflow-wrap: anywhere }
@media print { body { font-size: 10px; margin: 0 } }
"""


def to_html(e: Explanation, pictures: tuple[CourseFigure, CourseFigure] | None = None) -> str:
    """Return the page as HTML that loads nothing from elsewhere; all text is escaped."""
    ecg, matrix = pictures or _pictures(e)
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(ECG_MODELS.get(name, ''))}</td><td>{percent_of(p)}</td>"
        f"<td><meter min='0' max='1' value='{p:.4f}'>{percent_of(p)}</meter></td><td>{escape(e.sources[name])}</td>"
        f"<td>{escape(e.measured.get(name, ''))}</td></tr>"
        for name, p in e.probabilities.items()
    )
    facts = "".join(f"<dt>{escape(head)}</dt><dd>{escape(text)}</dd>" for head, text in _facts(e))
    return printable(
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(e.name)}: what networks say</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(_title(e))}</h1><p class='note'>{escape(NOT_FOR_DIAGNOSIS)}</p><p><b>{escape(e.answer)}</b></p>"
        "<table><tr><th>network</th><th>asked for</th><th>probability</th><th></th><th>weights</th>"
        "<th>beside its criterion</th></tr>"
        f"{rows}</table>{_image(ecg)}{_image(matrix)}<dl>{facts}</dl></body></html>"
    )


def _title(e: Explanation) -> str:
    """Return the heading of the page."""
    count = len(e.probabilities)
    return f"{e.name}: what {'one network says' if count == 1 else f'{count} networks say'}"


def _image(figure: CourseFigure) -> str:
    with _any_letter():
        data = b64encode(figure._repr_png_()[0]).decode()
    return f"<figure><img src='data:image/png;base64,{data}' alt='{escape(figure.alt)}'></figure>"


# PDF


def draw_page(e: Explanation, pictures: tuple[CourseFigure, CourseFigure] | None = None) -> CourseFigure:
    """Return the page as a figure, A4 upright, for PDF and for the notebook."""
    page = CourseFigure(figsize=(A4[0] / 25.4, A4[1] / 25.4), dpi=110)
    ecg, matrix = pictures or _pictures(e)
    y = _text(page, MARGIN, 10, _title(e), 13, weight="bold")
    y = _text(page, MARGIN, y + 1, NOT_FOR_DIAGNOSIS, 8, colour="#a33b00")
    y = _text(page, MARGIN, y + 0.5, e.answer, 8.5, weight="bold")
    top = _paste(page, ecg, MARGIN, y + 2, A4[0] - 2 * MARGIN) + 3
    left, right = MARGIN, MARGIN + COLUMN + GAP
    starts = _draw_bars(page, e, left, top, COLUMN), _paste(page, matrix, right, top, COLUMN) + 2
    size, columns = _fitting(_facts(e), A4[1] - FOOT - top, [y - top for y in starts])
    for x, y, column in zip((left, right), starts, columns, strict=True):
        for head, text in column:
            y = _text(page, x, y, head, size, weight="bold", width=COLUMN)
            y = _text(page, x, y, text, size, colour="#222222", width=COLUMN) + _gap(size)
    page.alt = f"One page about {e.name}. {NOT_FOR_DIAGNOSIS} {e.answer} {ecg.alt} {e.sentence}"
    return page


def _draw_bars(page: CourseFigure, e: Explanation, x: float, y: float, width: float) -> float:
    """Draw the probabilities as bars from 0 to 100 %; return where the next thing may start, mm from the top."""
    y = _text(page, x, y, "Probability of its pathology, by network; line: 50 %", 7.2, weight="bold")
    for name, probability in e.probabilities.items():
        long, top = width - 44, y + 0.6
        for share, colour in ((1.0, "#e6e6e6"), (probability, "#3b5b8c")):
            page.add_artist(_box(x + 16, top, long * share, 2.8, colour))
        page.add_artist(_box(x + 16 + NAMED * long, top - 0.4, 0.25, 3.6, INK))
        weight = "bold" if name == e.model else "normal"
        _text(page, x, y, name[:9], 7.5, weight=weight)
        _text(page, x + 17 + long, y, f"{percent_of(probability)}, {e.sources[name]}"[:24], 6.5, width=40)
        y += BAR
    return y + 2


def _box(x: float, y: float, width: float, height: float, colour: str) -> Rectangle:
    return Rectangle((x / A4[0], 1 - (y + height) / A4[1]), width / A4[0], height / A4[1], color=colour, linewidth=0)


def _lines(text: str, width: float, size: float, weight: str) -> list[str]:
    # ``fold`` measures text as it looks at 5 pixels a millimetre, which is 1:1 on paper.
    return fold(text[:1500], width, size, weight) or [""]


def _leading(size: float) -> float:
    return size / 72 * 25.4 * 1.32


def _text(page, x, y, text, size, *, weight="normal", colour=INK, width=None) -> float:
    """Write text from the upper left corner (mm from the page's); return the y below it. No text is taken for maths."""
    with _any_letter():
        lines = _lines(text, width or A4[0] - x - MARGIN, size, weight)
    for line in lines:
        page.text(
            x / A4[0], 1 - y / A4[1], printable(line), size=size, weight=weight, color=colour, va="top",
            family="DejaVu Sans", parse_math=False,
        )  # fmt: skip
        y += _leading(size)
    return y


def _gap(size: float) -> float:
    """Return the space below a fact, mm."""
    return 0.2 * size


def _height(fact: tuple[str, str], size: float) -> float:
    """Return the height of a fact in a column, mm."""
    with _any_letter():
        return (1 + len(_lines(fact[1], COLUMN, size, "normal"))) * _leading(size) + _gap(size)


def _flow(facts, size: float, foot: float, taken) -> tuple[list, list] | None:
    """Return the facts of the left and of the right column, in their order; None where the foot can't hold them.

    Parameters
    ----------
    foot : height of both columns, mm
    taken : what stands at the top of each already, mm
    """
    heights = [_height(fact, size) for fact in facts]
    fits = int((np.cumsum(heights) <= foot - taken[0]).sum())
    return (facts[:fits], facts[fits:]) if sum(heights[fits:]) <= foot - taken[1] else None


def _fitting(facts: list[tuple[str, str]], foot: float, taken) -> tuple[float, tuple[list, list]]:
    """Return the size of the words and what each column holds; findings are left out, the last first, if need be."""
    left_out = 0
    while True:
        for size in SIZES:
            if columns := _flow(facts, size, foot, taken):
                return size, columns
        findings = [i for i, (head, _) in enumerate(facts) if head.startswith("Check")]
        if not findings:
            return SIZES[-1], _flow(facts, SIZES[-1], 2 * A4[1], taken) or (facts, [])
        facts, left_out = facts[: findings[-1]] + facts[findings[-1] + 1 :], left_out + 1
        made = facts[-1][1].split(" Left out")[0]
        facts[-1] = "Made", f"{made} Left out: {left_out} findings; the HTML page has all."


def _shown_height(figure: CourseFigure, width: float) -> float:
    """Return the height of a figure at true size, or as wide as there is room, mm."""
    wide, high = figure.get_size_inches() * 25.4
    return high * min(1.0, width / wide)


def _paste(page: CourseFigure, figure: CourseFigure, x: float, y: float, width: float) -> float:
    """Paste a figure as a picture, at true size or as wide as there is room; return the y below it, mm."""
    screen, canvas = figure.dpi, FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    with _any_letter():
        canvas.draw()
    picture = np.array(canvas.buffer_rgba())[..., :3]
    figure.set_dpi(screen)
    wide, high = figure.get_size_inches() * 25.4
    shrink = min(1.0, width / wide)
    axes = page.add_axes((x / A4[0], 1 - (y + high * shrink) / A4[1], wide * shrink / A4[0], high * shrink / A4[1]))
    axes.imshow(picture, aspect="auto", interpolation="antialiased")
    axes.set_axis_off()
    return y + high * shrink


class _any_letter(warnings.catch_warnings):
    """Let a name contain letters that the font lacks: they are drawn as boxes, without a warning each."""

    def __enter__(self):
        caught = super().__enter__()
        warnings.filterwarnings("ignore", message="Glyph")
        return caught


def _write(path: Path, content: bytes) -> Path:
    with whole_file(path) as part:
        part.write_bytes(content)
    return path
