"""The one-page report: one page of PDF, HTML that is safe and complete, numbers that are those of the networks."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import leadwise
from leadwise.recordings.quality import Report
from leadwise.recordings.recording import RecordError
from leadwise.report import NOT_FOR_DIAGNOSIS, explain_ecg, file_name, report, to_html
from leadwise.simulation.noise import Noise

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>\' $\\frac{1$ 心电图 ../../etc'


@pytest.fixture(scope="module")
def recording():
    return leadwise.simulate_ecg("LBBB", seed=3)


@pytest.fixture(scope="module")
def saved(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots") / "new"
    return report(recording, method="gradient", start=2.5, weights="embedded", folder=folder)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def pages(pdf: bytes) -> int:
    """Count the pages: the /Count of the page tree (ISO 32000-1, 7.7.3.2)."""
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    return int(re.search(rb"/Type /Pages[^>]*?/Count (\d+)|/Count (\d+)[^>]*?/Type /Pages", pdf).group(1) or 0)


def test_pdf_is_one_a4_page(saved):
    pdf = saved.pdf.read_bytes()
    assert pages(pdf) == 1
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
    box = re.search(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert [float(side) * 25.4 / 72 for side in box.groups()] == pytest.approx([210, 297], abs=0.1)
    assert sorted(path.name for path in saved.pdf.parent.iterdir()) == ["sim_LBBB_3.html", "sim_LBBB_3.pdf"]


def test_words_of_an_ordinary_page_can_be_read_and_stay_on_it(saved):
    """No word is smaller than 6.5 points, and both columns end above the lower margin."""
    words = [text for text in saved.page.texts if text.get_text().strip()]
    assert min(text.get_fontsize() for text in words) >= 6.5
    assert min(text.get_position()[1] for text in words) > 8 / 297
    renderer = FigureCanvasAgg(saved.page).get_renderer()
    assert max(text.get_window_extent(renderer).x1 for text in words) < saved.page.bbox.x1
    headings = (
        "Recording",
        "What is explained",
        "Measured beside the criteria",
        "On real recordings",
        "Method",
        "Made",
    )
    assert tuple(text.get_text() for text in words if text.get_text() in headings) == headings


def test_the_numbers_are_those_of_the_networks(recording, saved):
    x = recording.preprocess().window(2.5).tensor()
    for name, probability in saved.explanation.probabilities.items():
        network = leadwise.load_ecg_model(name, "embedded")
        assert probability == pytest.approx(float(network.probability(x)), abs=1e-6)
    assert list(saved.explanation.probabilities) == ["AVB", "ISCH", "LBBB", "RBBB"]
    best = max(saved.explanation.probabilities, key=saved.explanation.probabilities.get)
    assert saved.explanation.model == best
    expected = leadwise.attribute(
        leadwise.load_ecg_model(best, "embedded"), x, "gradient", target=1, explain="log-odds"
    )
    np.testing.assert_allclose(saved.explanation.relevance, expected, rtol=1e-5, atol=1e-8)


def test_html_is_complete_and_loads_nothing(saved):
    text = saved.html.read_text(encoding="utf-8")
    page = Tags(text)
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 2
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in pictures)
    assert all(len(picture["alt"]) > 30 for picture in pictures)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://", re.sub(r"https?://doi\.org\S*", "", text))
    said = (NOT_FOR_DIAGNOSIS, "sim_LBBB_3", saved.explanation.sentence, "Simonyan", f"torch {torch.__version__}")
    assert [part for part in said if part not in page.text] == []
    assert dict(page.tags[0][1]) == {"lang": "en"} or dict(page.tags[1][1]) == {"lang": "en"}


def test_a_malicious_name_is_only_a_name(recording, tmp_path):
    made = report(replace(recording, record_id=EVIL), ["LBBB"], method="gradient", weights="embedded", folder=tmp_path)
    text = made.html.read_text(encoding="utf-8")
    page = Tags(text)
    assert not {"script"} & {tag for tag, _ in page.tags}
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    assert EVIL in page.text
    assert "&lt;script&gt;" in text
    assert made.pdf.parent == tmp_path
    assert made.pdf.name == f"{file_name(EVIL)}.pdf"
    assert pages(made.pdf.read_bytes()) == 1
    assert made._repr_png_()[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b\\c:d", "a_b_c_d"),
        ("../../etc/passwd", "etc_passwd"),
        ("..", "recording"),
        ("", "recording"),
        ("r" * 300, "r" * 80),
    ],
)
def test_file_names(name, expected):
    assert file_name(name) == expected


def test_findings_of_the_check_are_on_the_page(tmp_path):
    noisy = leadwise.simulate_ecg("NORM", seed=5, noise=Noise(hum=60))
    made = report(noisy, ["AVB", "RBBB"], method="gradient", weights="embedded", folder=tmp_path)
    findings = made.explanation.quality.findings
    assert "mains hum" in {finding.check for finding in findings}
    page = Tags(made.html.read_text(encoding="utf-8")).text
    assert all(finding.measured in page for finding in findings)
    written = " ".join(text.get_text() for text in made.page.texts)
    assert "mains hum" in written


def test_as_many_findings_as_there_may_be_still_make_one_page(recording, monkeypatch, tmp_path):
    found = leadwise.check_ecg(recording.resample(400)).findings[0]
    many = Report("x", (replace(found, measured="much " * 30),) * 40)
    monkeypatch.setattr("leadwise.report.explanation.check_ecg", lambda ecg, start=None: many)
    made = report(recording, ["LBBB"], method="gradient", weights="embedded", folder=tmp_path)
    assert pages(made.pdf.read_bytes()) == 1
    lowest = min(text.get_position()[1] for text in made.page.texts)
    assert lowest > 0.02
    assert "Left out: " in " ".join(text.get_text() for text in made.page.texts)
    assert made.html.read_text(encoding="utf-8").count("much much") >= 40


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("lrp_epsilon", {}, "by LRP-ε (epsilon = 0.1)."),
        ("lrp_alpha_beta", {}, "by LRP-αβ (alpha = 1.0)."),  # beta follows from alpha, not from the input
        ("lrp_z", {}, "by LRP-z."),
        ("lrp_z", {"input_rule": "sign", "mu": 0.5}, "by LRP-z (input rule = sign, mu = 0.5)."),
    ],
)
def test_the_method_is_named_with_what_was_chosen(recording, method, given, said):
    assert said in to_html(explain_ecg(recording, method=method, weights="embedded", **given))


def test_networks_and_choices_of_ones_own(recording):
    torch.manual_seed(0)
    layers = (torch.nn.Conv1d(12, 4, 9), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(-2))
    net = torch.nn.Sequential(*layers, torch.nn.Linear(4, 2)).eval()
    explanation = explain_ecg(recording.resample(250), {"mine": net}, method="gradient_x_input")
    assert explanation.sources == {"mine": "your own"}
    assert "criteria" not in explanation.sentence
    assert "your own" in to_html(explanation)
    chosen = explain_ecg(
        recording, ["LBBB", "AVB"], method="lrp_epsilon", explain="AVB", weights="embedded", epsilon=0.5
    )
    assert (chosen.model, chosen.parameters["epsilon"]) == ("AVB", 0.5)
    assert "AVB" in chosen.sentence


def test_what_is_refused(recording):
    bad = replace(recording, signal=recording.signal * 1000)
    with pytest.raises(RecordError, match=r"failed a check.*1000 times too large"):
        report(bad)
    with pytest.raises(ValueError, match="no method 'magic'"):
        report(recording, method="magic")
    with pytest.raises(ValueError, match="no network 'LVH'"):
        report(recording, ["AVB"], explain="LVH", weights="embedded")
    with pytest.raises(ValueError, match="no ECG model 'LVH'"):
        report(recording, ["LVH"])
    with pytest.raises(ValueError, match="models is empty"):
        report(recording, {})
    with pytest.raises(ValueError, match=r"start=7 s on does not fit .* choose 0 <= start <= 6 \(seconds\)"):
        report(recording, ["AVB"], start=7, weights="embedded")


def test_a_calibration_pulse_is_no_part_of_it(recording):
    pulse = np.tile(np.where(np.abs(np.arange(500) - 350) < 50, 1.0, 0.0), (12, 1))
    longer = leadwise.ECG(np.concatenate([recording.signal, pulse], axis=1))
    explanation = explain_ecg(longer, ["LBBB"], method="gradient", weights="embedded")
    assert "calibration pulse" in str(explanation.quality)
    assert explanation.ecg.duration <= 10.6


def test_a_loose_electrode_outside_the_window_does_not_matter(recording):
    loose = recording.signal.copy()
    loose[8, 3500:3900] += 25 * np.sin(np.arange(400) / 8)
    loose = leadwise.ECG(loose)
    options = {"method": "gradient", "weights": "embedded"}
    assert explain_ecg(loose, ["LBBB"], start=0, **options).quality.ok
    with pytest.raises(RecordError, match="V3 up to"):
        explain_ecg(loose, ["LBBB"], start=5, **options)


def test_despite_errors(recording):
    swapped = recording.signal.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    explanation = explain_ecg(
        leadwise.ECG(swapped), ["LBBB"], method="gradient", weights="embedded", despite_errors=True
    )
    assert not explanation.quality.ok
    assert "exchanging I and II" in Tags(to_html(explanation)).text
