"""One page about one recording: what four networks say, where one of them looks, and how good the recording is.

A page for teaching, as PDF and as HTML that needs nothing but itself. It speaks about networks, never about a patient:
the note in ``NOT_FOR_DIAGNOSIS`` stands on every page.
"""

import re
import warnings
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from html import escape
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from leadwise.attribution import METHODS, caveat, receipt
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.record import ECG
from leadwise.networks.network import network_of
from leadwise.networks.weights import ECG_MODELS, load_ecg_model
from leadwise.paths import checkout, whole_file
from leadwise.plotting import plot_ecg
from leadwise.plotting.sheet import CourseFigure, fold
from leadwise.plotting.style import INK, printable
from leadwise.recordings.quality import Report, check_ecg
from leadwise.recordings.recording import RecordError
from leadwise.semantics import RelevanceTable, describe, lead_wave_matrix, waves_of

NOT_FOR_DIAGNOSIS = (
    "For teaching, not for diagnosis. The numbers say what artificial networks answer and where they look; they say "
    "nothing certain about a patient and must not be used to decide about one."
)
SAMPLES, FS = 2000, 500.0  # the networks' window
PACKAGES = ("leadwise", "torch", "captum", "numpy", "scipy", "matplotlib")
A4 = (210.0, 297.0)  # mm
MARGIN, TALLEST_ECG, MATRIX = 11.0, 143.0, 88.0  # mm: margin, height of the ECG, width of the matrix
DPI = 254  # 10 pixels a millimetre
TRUST = {"published": "published weights", "embedded": "embedded weights, trained on simulated ECGs"}


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What a page says.

    Parameters
    ----------
    ecg : the whole recording, preprocessed, at 500 Hz
    start : s, where the 4 s start that the networks saw
    quality : what the checks found on the whole recording, with the size of the leads judged in the window
    probabilities : network -> probability of its pathology, 0 to 1, by softmax; not calibrated
    sources : network -> where its weights come from
    model : the network that is explained
    method, parameters : key of ``METHODS``, and all its parameters
    relevance : ndarray (12, 2000), of the pathology's logit
    matrix : lead x wave matrix of the relevance
    sentence : :func:`leadwise.semantics.describe` of it
    caveat : why the method says little on this network, or None
    versions : package -> version
    dated : when it was made
    """

    ecg: ECG
    start: float
    quality: Report
    probabilities: dict[str, float]
    sources: dict[str, str]
    model: str
    method: str
    parameters: dict
    relevance: np.ndarray
    matrix: RelevanceTable
    sentence: str
    caveat: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    dated: str = ""

    def __repr__(self):
        answer = f"p({self.model}) = {self.probabilities[self.model]:.3f}"
        return f"Explanation({self.name}: {answer}, {self.method}, from {self.start:g} s)"

    @property
    def name(self) -> str:
        """Name of the recording."""
        return self.ecg.record_id or "unnamed recording"


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
    models: Mapping[str, torch.nn.Module] | Sequence[str] | None = None,
    *,
    method: str = "lrp_epsilon",
    explain: str | None = None,
    start: float = 0.0,
    weights: str = "auto",
    folder: str | Path | None = None,
    dated: str | None = None,
    despite_errors: bool = False,
    **parameters,
) -> OnePage:
    """Check and explain a recording, and save one page about it as PDF and HTML.

    Parameters
    ----------
    ecg : the whole recording, as read; a calibration pulse at its ends is cut off, and it is resampled to 500 Hz and
        preprocessed here
    models : networks by name, or names of ``ECG_MODELS``; None: all four
    method : key of ``METHODS``
    explain : the network to explain; None: the one with the highest probability
    start : s, where the 4-s window starts
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
        ecg, models, method=method, explain=explain, start=start, weights=weights, despite_errors=despite_errors,
        **parameters,
    )  # fmt: skip
    explanation = explanation if dated is None else replace(explanation, dated=dated)
    folder = Path(folder).expanduser() if folder else (checkout() or Path.cwd()) / "plots" / "reports"
    stem = folder / file_name(explanation.name)
    pictures = _pictures(explanation)
    html, page, pdf = to_html(explanation, pictures), draw_page(explanation, pictures), BytesIO()
    with _any_letter():
        page.savefig(
            pdf,
            format="pdf",
            metadata={"CreationDate": None, "Creator": "leadwise", "Title": printable(explanation.name)},
        )
    files = {".pdf": pdf.getvalue(), ".html": html.encode()}
    paths = [_write(stem.with_name(stem.name + ending), content) for ending, content in files.items()]
    return OnePage(explanation, page, *paths)


def explain_ecg(
    ecg: ECG,
    models: Mapping[str, torch.nn.Module] | Sequence[str] | None = None,
    *,
    method: str = "lrp_epsilon",
    explain: str | None = None,
    start: float = 0.0,
    weights: str = "auto",
    despite_errors: bool = False,
    progress=False,
    **parameters,
) -> Explanation:
    """Check a recording, run the networks on a window of it, and explain one of them.

    As for :func:`report`; ``progress`` as for :func:`leadwise.attribute`.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; expected a key of leadwise.METHODS, such as 'lrp_epsilon'.")
    ecg = cut_calibration(ecg)
    quality = check_ecg(ecg, start)
    if not quality.ok and not despite_errors:
        raise RecordError(f"{quality.name} failed a check. {' '.join(map(str, quality.of('error')))}")
    networks = _networks(models, weights)
    if explain is not None and explain not in networks:
        raise ValueError(f"no network {explain!r} to explain; there are {', '.join(networks)}.")
    raw = ecg.resample(FS)
    ecg = raw.preprocess()
    x = ecg.window(start, SAMPLES).tensor()
    with torch.no_grad():
        probabilities = {
            name: float(torch.softmax(network_of(net).logits(x[None]), -1)[0, 1]) for name, net in networks.items()
        }
    model = explain or max(probabilities, key=probabilities.get)
    found = receipt(
        networks[model], x, method, target=1, progress=progress, **parameters
    )  # the caveat stands on the page
    relevance = found.relevance.numpy()
    matrix = lead_wave_matrix(relevance, waves_of(raw, start))
    return Explanation(
        ecg,
        start,
        quality,
        probabilities,
        {name: getattr(net, "source", "your own") for name, net in networks.items()},
        model,
        method,
        METHODS[method].defaults() | parameters,
        relevance,
        matrix,
        describe(matrix, pathology=model if model in ECG_MODELS else None),
        caveat(method, networks[model], x),
        {package: version(package) for package in PACKAGES} | {"torch": torch.__version__},  # with its build
        f"{date.today():%Y-%m-%d}",
    )


def file_name(name: str) -> str:
    """Return a recording's name as a file's name without extension: letters, digits, "-", "_" and "." alone."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")[:80] or "recording"


def _networks(models, weights: str) -> dict[str, torch.nn.Module]:
    if isinstance(models, Mapping):
        if not models:
            raise ValueError("models is empty; expected at least one network.")
        return dict(models)
    return {name: load_ecg_model(name, weights, verbose=False) for name in models or ECG_MODELS}


# What both pages say, in words


def _facts(e: Explanation) -> list[tuple[str, str]]:
    """Return (heading, text) in the order of the page."""
    row = METHODS[e.method]
    given = {key: "from the input" if value is None else value for key, value in e.parameters.items()}
    settings = ", ".join(f"{key} = {value}" for key, value in given.items())
    weights = TRUST.get(e.sources[e.model], e.sources[e.model])
    network = f"the {e.model} network ({ECG_MODELS.get(e.model, 'your own')}; {weights})"
    window = f"{e.start:g} to {e.start + SAMPLES / FS:g} s, after the published filter chain"
    by = f"{row.title} ({settings})" if settings else row.title
    facts = [
        ("Recording", f"{e.name}: {window}. {e.quality.verdict[0].upper()}{e.quality.verdict[1:]}"),
        ("What is explained", f"Logit of the pathology of {network}, by {by}."),
        ("Where it looks", e.sentence),
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


def plot_explanation(e: Explanation, **options) -> CourseFigure:
    """Return the explained 4 s on ECG paper with their relevance; options as for :func:`leadwise.plotting.plot_ecg`."""
    whole = np.zeros(e.ecg.signal.shape, np.float32)  # so that the times are the recording's
    first = round(e.start * FS)
    whole[:, first : first + SAMPLES] = e.relevance
    title = f"Where the {e.model} network finds its pathology: {METHODS[e.method].title}"
    shown: dict[str, Any] = {"title": title, "start": e.start, "stop": e.start + SAMPLES / FS}
    return plot_ecg(e.ecg, whole, **shown | options)


def _pictures(e: Explanation) -> tuple[CourseFigure, CourseFigure]:
    """Return the ECG with its relevance, fit for the page, and the lead x wave matrix."""
    with _any_letter():
        wide, high = plot_explanation(e, scale=0.8).get_size_inches() * 25.4
        scale = round(0.8 * min((A4[0] - 2 * MARGIN) / wide, TALLEST_ECG / high), 2)
        return plot_explanation(e, scale=scale), e.matrix.plot(title="Lead x wave matrix")


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"


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
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(ECG_MODELS.get(name, ''))}</td><td>{_percent(p)}</td>"
        f"<td><meter min='0' max='1' value='{p:.4f}'>{_percent(p)}</meter></td><td>{escape(e.sources[name])}</td></tr>"
        for name, p in e.probabilities.items()
    )
    facts = "".join(f"<dt>{escape(head)}</dt><dd>{escape(text)}</dd>" for head, text in _facts(e))
    return printable(
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(e.name)}: what networks say</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(e.name)}: what {len(e.probabilities)} networks say, and where {escape(e.model)} looks</h1>"
        f"<p class='note'>{escape(NOT_FOR_DIAGNOSIS)}</p>"
        "<table><tr><th>network</th><th>its pathology</th><th>probability</th><th></th><th>weights</th></tr>"
        f"{rows}</table>{_image(ecg)}{_image(matrix)}<dl>{facts}</dl></body></html>"
    )


def _image(figure: CourseFigure) -> str:
    with _any_letter():
        data = b64encode(figure._repr_png_()[0]).decode()
    return f"<figure><img src='data:image/png;base64,{data}' alt='{escape(figure.alt)}'></figure>"


# PDF


def draw_page(e: Explanation, pictures: tuple[CourseFigure, CourseFigure] | None = None) -> CourseFigure:
    """Return the page as a figure, A4 upright, for PDF and for the notebook."""
    page = CourseFigure(figsize=(A4[0] / 25.4, A4[1] / 25.4), dpi=110)
    ecg, matrix = pictures or _pictures(e)
    y = _text(page, MARGIN, 10, f"{e.name}: what {len(e.probabilities)} networks say", 13, weight="bold")
    y = _text(page, MARGIN, y + 1, NOT_FOR_DIAGNOSIS, 8, colour="#a33b00")
    y = _paste(page, ecg, MARGIN, y + 2, A4[0] - 2 * MARGIN) + 3
    left, right = A4[0] - 2 * MARGIN - MATRIX - 6, A4[0] - MARGIN - MATRIX
    _paste(page, matrix, right, y, MATRIX)
    y = _draw_bars(page, e, MARGIN, y, left)
    bottom = A4[1] - 8
    facts = _facts(e)
    size = next((s for s in (7.2, 6.6, 6.0, 5.4) if y + _height(facts, left, s) <= bottom), 5.0)
    for head, text in _fitting(facts, left, size, bottom - y):
        y = _text(page, MARGIN, y, head, size, weight="bold", width=left)
        y = _text(page, MARGIN, y, text, size, colour="#222222", width=left) + 0.3 * size / 2
    page.alt = f"One page about {e.name}. {NOT_FOR_DIAGNOSIS} {ecg.alt} {e.sentence}"
    return page


def _draw_bars(page: CourseFigure, e: Explanation, x: float, y: float, width: float) -> float:
    """Draw the probabilities as bars from 0 to 100 %; return where the next thing may start, mm from the top."""
    y = _text(page, x, y, "Probability of its pathology, by network (softmax, not calibrated)", 7.2, weight="bold")
    for name, probability in e.probabilities.items():
        long, top = width - 38, y + 0.6
        for share, colour in ((1.0, "#e6e6e6"), (probability, "#3b5b8c")):
            page.add_artist(_box(x + 16, top, long * share, 2.8, colour))
        weight = "bold" if name == e.model else "normal"
        _text(page, x, y, name[:9], 7.5, weight=weight)
        _text(page, x + 17 + long, y, f"{_percent(probability)}, {e.sources[name]}"[:18], 6.5, width=40)
        y += 4.6
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


def _height(facts, width: float, size: float) -> float:
    with _any_letter():
        lines = sum(1 + len(_lines(text, width, size, "normal")) for _, text in facts)
    return lines * _leading(size) + len(facts) * 0.3 * size / 2


def _fitting(facts: list[tuple[str, str]], width: float, size: float, room: float) -> list[tuple[str, str]]:
    """Leave out findings, the last first, until the page holds the facts; say how many."""
    left_out = 0
    while _height(facts, width, size) > room and any(head.startswith("Check") for head, _ in facts):
        last = max(i for i, (head, _) in enumerate(facts) if head.startswith("Check"))
        facts, left_out = facts[:last] + facts[last + 1 :], left_out + 1
        facts[-1] = (
            "Made",
            f"{facts[-1][1].split(' Left out')[0]} Left out: {left_out} findings; the HTML page has all.",
        )
    return facts


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
    axes.imshow(picture, aspect="auto", interpolation="none")
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
