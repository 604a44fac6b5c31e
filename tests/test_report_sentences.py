"""Reports of ten recordings, read aloud: none suggests a disease that no network names, none calls a person well."""

import re
from dataclasses import replace

import pytest
import torch

import leadwise
from leadwise.networks.network import Network
from leadwise.networks.weights import ECG_MODELS
from leadwise.report import explain_ecg, known, save_page, to_html
from leadwise.report.explanation import percent_of, probability_of
from leadwise.simulation.noise import Noise

SIMULATED = {
    "healthy": lambda: leadwise.simulate_ecg("NORM", seed=3),
    "healthy, another": lambda: leadwise.simulate_ecg("NORM", seed=11),
    "AVB": lambda: leadwise.simulate_ecg("AVB", seed=5),
    "ISCH": lambda: leadwise.simulate_ecg("ISCH", seed=5),
    "LBBB": lambda: leadwise.simulate_ecg("LBBB", seed=5),
    "RBBB": lambda: leadwise.simulate_ecg("RBBB", seed=5),
    "second-degree block": lambda: leadwise.simulate_ecg("AVB2", seed=5),
    "poor": lambda: leadwise.simulate_ecg("NORM", seed=5, noise=Noise(hum=60)),
}
REAL = ("E07506", "HR06004")  # sinus rhythm only


def words(page: str) -> str:
    """Return what stands on a page of HTML, without its pictures."""
    return re.sub(r"\s+", " ", re.sub(r"<img[^>]*>|<style>.*?</style>|<[^>]+>", " ", page))


def read_aloud(explanation) -> None:
    """Assert of a page what a cardiologist would ask of it."""
    said = words(to_html(explanation))
    assert not re.search(r"\b(normal|healthy|unremarkable|nothing to complain)\b", said, re.IGNORECASE)
    assert "For teaching, not for diagnosis" in said
    assert "On real recordings" in said
    assert "Are these probabilities?" in said
    assert said.count("criterion: ") >= len(explanation.measured)
    assert (explanation.model in explanation.named) == ("Where the" in explanation.heading)
    if explanation.model not in explanation.named:
        assert f"does not name {explanation.model}" in explanation.sentence
        assert "speaks against" in explanation.sentence
        assert "although the answer is no" in explanation.heading
        assert "the criteria name" not in said
    if not explanation.named:
        assert "No network names its pathology" in said
        assert "says nothing about the heart" in said
    silent = set(ECG_MODELS) - set(explanation.named)
    assert not any(re.search(rf"names {name}\b|Named by[^.]*\b{name}\b", said) for name in silent)


@pytest.mark.parametrize("name", SIMULATED)
def test_reports_of_simulated_recordings(name):
    explanation = explain_ecg(SIMULATED[name](), weights="embedded")
    read_aloud(explanation)
    if name == "poor":
        assert "look before you believe" in words(to_html(explanation))
    if name in ECG_MODELS:
        assert name in explanation.named


@pytest.mark.parametrize("name", REAL)
def test_reports_of_real_recordings(reference, name):
    read_aloud(explain_ecg(leadwise.load_ecg(reference / "ecg" / "cinc2021" / name), weights="embedded"))


class Answer(torch.nn.Module):
    """A network that answers what it is told, and looks at the mean of its input a little."""

    def __init__(self, odds: float):
        super().__init__()
        self.odds = odds

    def forward(self, x):
        """Return logits (N, 2)."""
        score = self.odds + 1e-3 * x.mean((1, 2))
        return torch.stack([-score / 2, score / 2], 1)


def test_whatever_the_networks_say_the_page_says_that():
    """All sixteen patterns of four answers, on one recording: the page names those, and no other."""
    ecg = leadwise.simulate_ecg("NORM", seed=3)
    for pattern in range(16):
        odds = {name: 3.0 if pattern >> i & 1 else -3.0 for i, name in enumerate(ECG_MODELS)}
        explanation = explain_ecg(ecg, {name: Answer(value) for name, value in odds.items()}, method="gradient")
        assert explanation.named == tuple(name for name, value in odds.items() if value > 0)
        read_aloud(explanation)


def test_a_yes_that_is_not_explained_leaves_the_explained_no_a_no():
    ecg = leadwise.simulate_ecg("NORM", seed=3)
    explanation = explain_ecg(ecg, {"AVB": Answer(-3.0), "LBBB": Answer(3.0)}, method="gradient", explain="AVB")
    read_aloud(explanation)
    assert explanation.answer.startswith("Named by a network: LBBB")
    assert explanation.heading == "What raised the AVB log-odds although the answer is no"


def test_a_page_is_made_from_the_explanation_alone(monkeypatch, tmp_path):
    explanation = explain_ecg(leadwise.simulate_ecg("LBBB", seed=5), ["LBBB"], method="gradient", weights="embedded")
    for name in ("check_ecg", "delineate", "receipt", "probability_of", "load_ecg_model", "describe"):
        monkeypatch.setattr(f"leadwise.report.explanation.{name}", None)
    page = save_page(replace(explanation, dated="Example"), tmp_path)
    assert page.explanation.relevance is explanation.relevance
    assert {page.pdf.name, page.html.name} == {path.name for path in tmp_path.iterdir()}
    assert "Example" in page.html.read_text(encoding="utf-8")
    lowest = min(text.get_position()[1] for text in page.page.texts)
    assert lowest > 0.02, "nothing falls off the page"


def test_a_probability_is_the_sigmoid_of_the_log_odds():
    """Of two classes the softmax; of labels that stand alone the sigmoid of the one; of five unsaid ones neither."""
    x = torch.randn(12, 50, generator=torch.Generator().manual_seed(0))
    linear = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(600, count)) for count in (2, 5)]
    logits = [net(x[None])[0].detach() for net in linear]
    assert probability_of(linear[0], x) == pytest.approx(float(logits[0].softmax(0)[1]), rel=1e-5)
    for outputs, wanted in (("labels", logits[1].sigmoid()[1]), ("classes", logits[1].softmax(0)[1])):
        assert probability_of(Network(linear[1], outputs=outputs), x) == pytest.approx(float(wanted), rel=1e-5)
    with pytest.raises(ValueError, match="exclude each other"):
        probability_of(linear[1], x)


def test_no_probability_is_rounded_to_none_or_all():
    assert [percent_of(p) for p in (0.0, 0.0004, 0.5, 0.9996, 1.0)] == [
        "under 0.1 %", "under 0.1 %", "50.0 %", "over 99.9 %", "over 99.9 %",
    ]  # fmt: skip


def test_what_is_known_of_a_network_is_said_and_what_is_not_as_well(monkeypatch):
    real = {"records": 4, "right": 3, "false_alarms": 1, "of_sinus": 6, "auc_against_published": 0.91}
    written = {"AVB": {"real": real, "test": {"calibration_error": 0.012}}, "ISCH": {}}
    monkeypatch.setattr("leadwise.report.known.embedded_report", lambda name: written[name])
    said = known.on_real_recordings("AVB", "embedded")
    assert said.startswith("right on 3 of 4 with it, false alarms on 1 of 6")
    assert "0.91" in said
    assert not re.search(r"\d", known.on_real_recordings("ISCH", "embedded"))
    assert known.calibration("AVB", "embedded").startswith("calibrated on simulated patients")
    assert known.calibration("AVB", "published") == "not calibrated"
    both = {"AVB": "embedded", "mine": "your own"}
    assert known.of_all(both, known.calibration).endswith("mine: nothing is known here about their calibration.")
