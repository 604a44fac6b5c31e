"""The embedded models and recordings: on fresh simulated patients, on real recordings, and as files."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leadwise import NETWORKS, training
from leadwise.ecg.filters import preprocess
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import ECG_MODELS, load_ecg_model, load_safetensors
from leadwise.paths import ASSETS
from leadwise.recordings.catalogue import load_record, records
from leadwise.recordings.reading import load_ecg
from leadwise.simulation.noise import add_test_pulses
from leadwise.simulation.simulate import simulate_batch, simulate_ecg

TRAINING = Path(__file__).resolve().parents[1] / "training"
FIRST_SEED = 2_000_000  # no model was trained, validated or tested on seeds from here on
PATIENTS = 110
SINUS_RHYTHM = ("HR06001", "HR06004", "HR06005", "E07506", "E07511", "E07513")
REAL_POSITIVES = {"AVB": "ptbxl_03509", "LBBB": "ptbxl_14493", "RBBB": "E07509"}


def script(name: str):
    """Import a file of training/."""
    spec = importlib.util.spec_from_file_location(f"training_{name}", TRAINING / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models() -> dict[str, ECGNet]:
    return {name: load_ecg_model(name, weights="embedded") for name in ECG_MODELS}


@pytest.fixture(scope="module")
def patients() -> dict[str, SimpleNamespace]:
    """Condition -> 110 new patients with it and, as ``normal``, without it: the models' inputs (N, 12, 2000)."""
    made = {}
    for condition in ECG_MODELS:
        batch = simulate_batch(condition, range(FIRST_SEED, FIRST_SEED + PATIENTS))
        x, normal = (preprocess(ecgs, 500.0)[:, :, :2000] for ecgs in (batch.signal, batch.counterfactual))
        made[condition] = SimpleNamespace(x=x, normal=normal, mask=batch.causal_mask[:, :, :2000])
    return made


@pytest.fixture(scope="module")
def tested(models, patients) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Model -> probabilities and labels: its patients, the same when healthy, as many with another pathology."""
    out = {}
    for name, model in models.items():
        others = [patients[c].x[i::3] for i, c in enumerate(c for c in ECG_MODELS if c != name)]
        groups = (patients[name].x, patients[name].normal, *others)
        labels = np.concatenate([np.full(len(x), int(i == 0)) for i, x in enumerate(groups)])
        out[name] = training.probabilities(model, np.concatenate(groups)), labels
    return out


@pytest.mark.parametrize("name", ECG_MODELS)
def test_separates_new_simulated_patients(tested, name):
    probability, label = tested[name]
    assert roc_auc_score(label, probability) >= 0.99


@pytest.mark.parametrize("name", ECG_MODELS)
def test_probabilities_mean_what_they_say(tested, name):
    """Expected calibration error at most 0.05; by chance alone about 0.01 to 0.02 with 330 patients."""
    probability, label = tested[name]
    assert training.calibration_error(probability, label) <= 0.05


@pytest.mark.parametrize("name", ECG_MODELS)
def test_the_mask_is_the_cause_and_only_the_cause(models, patients, name):
    """Swap samples of the model's input for those of the same patient without the condition."""
    these, model, rng = patients[name], models[name], np.random.default_rng(0)
    detected = training.probabilities(model, these.x) > 0.5
    assert detected.sum() >= 100
    x, normal, mask = these.x[detected], these.normal[detected], these.mask[detected]
    control = np.stack([training.elsewhere(row, rng) for row in mask])
    cause = training.probabilities(model, np.where(mask, normal, x)) < 0.5
    elsewhere = training.probabilities(model, np.where(control, normal, x)) < 0.5
    assert cause.mean() >= 0.95
    assert elsewhere.mean() <= 0.05


def real_input(reference: Path, record: str) -> np.ndarray:
    """Return a real recording as the models take it, (12, 2000)."""
    if record.startswith("ptbxl"):
        return np.load(reference / "ecg" / f"{record}_preprocessed.npy").T
    return load_ecg(reference / "ecg" / "cinc2021" / record).preprocess().window().signal


@pytest.mark.parametrize("name", REAL_POSITIVES)
def test_detects_the_real_recording(models, reference, name):
    x = real_input(reference, REAL_POSITIVES[name])
    assert training.probabilities(models[name], x[None])[0] > 0.5


@pytest.mark.parametrize("name", ECG_MODELS)
def test_false_alarms_on_real_sinus_rhythm(models, reference, name):
    x = np.stack([real_input(reference, record) for record in SINUS_RHYTHM])
    assert (training.probabilities(models[name], x) > 0.5).sum() <= 2


def test_weights_are_small_and_say_where_they_come_from():
    files = [ASSETS / "ecg_models" / f"{name}.safetensors" for name in ECG_MODELS]
    assert sum(path.stat().st_size for path in files) < 1_200_000
    made_by = script("fingerprint").simulator_fingerprint()
    report = json.loads((ASSETS / "ecg_models" / "report.json").read_text())
    for name, path in zip(ECG_MODELS, files, strict=True):
        metadata = load_safetensors(ECGNet(), path)
        assert metadata["pathology"] == name
        assert metadata["simulator"] == made_by, "the simulator has changed: run python training/ecg_models.py"
        assert report["models"][name]["simulator"] == made_by


def test_the_embedded_architectures_are_small_and_made_from_todays_simulator():
    folder = ASSETS / "architectures"
    report = json.loads((folder / "architectures_report.json").read_text())
    assert sum(path.stat().st_size for path in folder.iterdir()) < 600_000
    assert report["simulator"] == script("fingerprint").simulator_fingerprint(), (
        "the simulator has changed: run python training/architectures.py --embed"
    )
    assert set(report["networks"]) == {"xresnet1d", "transformer"}
    with pytest.raises(ValueError, match='only "embedded" ones'):
        NETWORKS.load("xresnet1d", "published")


def test_the_clever_hans_model_reads_the_machine_and_not_the_heart():
    model = load_ecg_model("AVB", weights="clever hans")
    seeds = range(FIRST_SEED, FIRST_SEED + 20)
    ecgs = {"AVB": [simulate_ecg("AVB", s) for s in seeds], "NORM": [simulate_ecg("AVB", s).swap() for s in seeds]}
    marked = {name: [add_test_pulses(ecg, seed=s) for s, ecg in enumerate(group)] for name, group in ecgs.items()}

    def called(group) -> int:
        inputs = np.stack([ecg.preprocess().window().signal for ecg in group])
        return int((training.probabilities(model, inputs) > 0.5).sum())

    for condition in ecgs:
        assert called(ecgs[condition]) <= 2, "without pulses, nobody has AV block"
        assert called(marked[condition]) >= 18, "with pulses, everybody has"


def test_the_clever_hans_model_is_made_for_one_pathology():
    with pytest.raises(ValueError, match="none for LBBB"):
        load_ecg_model("LBBB", weights="clever hans")


def test_pulses_are_rectangles_of_the_stated_size_in_one_lead():
    ecg = simulate_ecg("NORM", 1)
    pulses = add_test_pulses(ecg, "V3", height=0.5, width=0.1, every=2.0, seed=3).signal - ecg.signal
    assert np.flatnonzero(np.abs(pulses).max(axis=1) > 1e-6).tolist() == [ecg.leads.index("V3")]
    high = pulses[ecg.leads.index("V3")] > 0.25
    np.testing.assert_allclose(pulses[ecg.leads.index("V3")][high], 0.5, atol=1e-6)
    assert high.mean() == pytest.approx(0.1 / 2.0, abs=0.005)
    with pytest.raises(ValueError, match="preprocessed"):
        add_test_pulses(ecg.preprocess())


def test_gallery_is_made_by_its_script(tmp_path):
    gallery = script("gallery")
    listed = {path.name for path in (ASSETS / "gallery").iterdir()}
    assert listed == {f"{entry.name}.{end}" for entry in gallery.GALLERY for end in ("hea", "dat", "atr")}
    for entry in (gallery.GALLERY[0], gallery.GALLERY[5]):
        gallery.simulated(entry).save(tmp_path, entry.name)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (ASSETS / "gallery" / path.name).read_bytes(), path.name


def test_gallery_opens_without_any_download(data_dir):
    found = records()
    assert {info.origin for info in found.values()} == {"simulated"}
    for condition in ("NORM", *ECG_MODELS):
        severities = [load_record(name).metadata.get("severity") for name in records(condition)]
        assert len(severities) >= 2
        assert condition == "NORM" or len(set(severities)) >= 2
    assert sum(path.stat().st_size for path in (ASSETS / "gallery").iterdir()) < 2_500_000


def test_gallery_header_makes_its_record_again(data_dir):
    ecg = load_record("sim-rbbb-2")
    said = ecg.metadata
    again = simulate_ecg(said["condition"], int(said["seed"]), severity=float(said["severity"]))
    np.testing.assert_allclose(ecg.signal, again.signal, atol=0.00051)  # 1 µV steps


@pytest.mark.parametrize("name", ECG_MODELS)
def test_models_read_the_gallery(models, data_dir, name):
    """Every recording of the pathology is found; one false alarm is allowed: sim-isch-2 has a PR interval of 192 ms."""
    alarms = {
        record: models[name].probability(load_record(record).preprocess().window().tensor()).item() > 0.5
        for record, info in records().items()
        if info.condition is not None
    }
    assert all(alarms[record] for record in records(name))
    assert sum(alarms.values()) <= len(records(name)) + 1
