"""Cohorts: moments against numpy and scipy, runs against the mean of their records, whatever interrupts them."""

import copy
import hashlib
import sys
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import leadwise
from leadwise.cohort import (
    CheckpointError,
    Cohort,
    Records,
    difference,
    difference_within,
    explain_cohort,
    forest,
    load_checkpoint,
    paired_difference,
    read_rows,
    summarise,
)
from leadwise.ecg.record import ECG
from leadwise.evaluation import holm
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.network import network_of
from leadwise.plotting import number
from leadwise.semantics import WAVES, describe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from simulated_ptb_xl import FAULTS, spoiled

pytestmark = pytest.mark.usefixtures("one_thread")


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def noise(samples=100, seed=0):
    return np.random.default_rng(seed).standard_normal((12, samples))


def bits(cohort):
    """Everything that a cohort holds, to the last bit."""
    return hashlib.sha256(cohort.to_bytes()).hexdigest()


# --- cohorts ---------------------------------------------------------------------------------------------------------


def filled(values, settings=None):
    cohort = Cohort(settings or {})
    for value in values:
        cohort.update(a=value, b=float(value[0, 0]))
    return cohort


def test_a_cohort_agrees_with_numpy_and_scipy():
    values = 1e3 + np.random.default_rng(0).standard_normal((50, 12, 6))
    cohort = filled(torch.tensor(values))
    assert (cohort.records, cohort.count("a")) == (50, 50)
    np.testing.assert_allclose(cohort.mean("a"), values.mean(0), rtol=1e-13)
    np.testing.assert_allclose(cohort.spread("a"), values.std(0, ddof=1), rtol=1e-9)
    for level in (0.8, 0.95):
        expected = stats.t.interval(level, 49, values.mean(0), stats.sem(values, axis=0))
        np.testing.assert_allclose(cohort.interval("a", level), expected, rtol=1e-9)
    assert cohort.mean("b") == pytest.approx(values[:, 0, 0].mean())


def test_intervals_hold_the_true_mean_as_often_as_they_say():
    """A thousand cohorts of 30 records at once: 95 % of the intervals hold the mean, within 4 standard errors."""
    cohort = filled(np.random.default_rng(1).standard_normal((30, 1, 1000)))
    low, high = cohort.interval("a")
    assert abs(((low < 0) & (high > 0)).mean() - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 1000)


def test_merged_cohorts_are_one_cohort():
    values = noise(6).reshape(12, 1, 6)
    whole, merged = filled(values), filled(values[:5]).merge(filled(values[5:]))
    assert merged.records == whole.records == 12
    for name in ("a", "b"):
        np.testing.assert_allclose(merged.mean(name), whole.mean(name), rtol=1e-12)
        np.testing.assert_allclose(merged.spread(name), whole.spread(name), rtol=1e-12)
    assert filled(values).merge(Cohort()).records == 12
    with pytest.raises(ValueError, match="different settings"):
        filled(values, {"method": "x"}).merge(filled(values, {"method": "y"}))


def test_a_cohort_refuses_what_does_not_fit_and_stays_as_it_was():
    cohort = filled(np.ones((2, 2, 3)))
    for bad in (np.ones(4), np.full((2, 3), np.nan)):
        with pytest.raises(ValueError, match="expected finite values of shape"):
            cohort.update(b=1.0, a=bad)
    assert (cohort.records, cohort.count("b")) == (2, 2)
    with pytest.raises(KeyError, match="it has a, b"):
        cohort.mean("c")
    assert np.isnan(filled(np.ones((1, 2, 3))).interval("a")).all()


def test_a_saved_cohort_comes_back_to_the_last_bit(tmp_path):
    cohort = filled(noise(6).reshape(12, 1, 6), {"method": "lrp"})
    cohort.leave_out("record 3: flat")
    again = Cohort.load(cohort.save(tmp_path / "new" / "cohort.npz"))
    assert (again.settings, again.records, again.left_out, again.reasons) == (
        cohort.settings,
        cohort.records,
        cohort.left_out,
        cohort.reasons,
    )
    np.testing.assert_array_equal(again.interval("a"), cohort.interval("a"))
    assert again.mean("b") == cohort.mean("b")


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = filled(np.ones((3, 1, 1))).save(tmp_path / "cohort.npz")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        filled(np.ones((9, 1, 1))).save(path)
    assert Cohort.load(path).records == 3
    assert [file.name for file in tmp_path.iterdir()] == ["cohort.npz"]


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = filled(np.ones((3, 1, 1))).save(tmp_path / "cohort.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"cohort\.npz is no cohort"):
        Cohort.load(path)


# --- many records ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ECGNet("LBBB").eval()


class Patients:
    """Ten recordings that are made when they are opened, one of them without a heartbeat; counts what is opened."""

    def __init__(self, count=10, flat=4):
        self.opened = []
        self.makers = [partial(self.make, seed, seed == flat) for seed in range(count)]

    def make(self, seed, flat):
        self.opened.append(seed)
        ecg = leadwise.simulate_ecg("LBBB", seed, seconds=5)
        return ECG(np.zeros((12, 2500)), record_id="flat") if flat else ecg


def test_an_interrupted_run_ends_with_the_numbers_of_one_that_was_not(model, tmp_path):
    path, first, second = tmp_path / "run", Patients(), Patients()
    whole = explain_cohort(model, Patients().makers, "gradient_x_input", batch=3, progress=False)

    def stop(done, total):
        assert total == 10
        if done == 6:
            raise KeyboardInterrupt

    options = {"method": "gradient_x_input", "checkpoint": path, "batch": 3}
    with pytest.raises(KeyboardInterrupt):
        explain_cohort(model, first.makers, progress=stop, **options)
    resumed = explain_cohort(model, second.makers, progress=False, **options)
    assert first.opened == list(range(6))
    assert second.opened == list(range(6, 10))
    assert (resumed.records, resumed.left_out) == (whole.records, whole.left_out) == (9, 1)
    assert resumed.reasons == whole.reasons
    assert whole.reasons[0].startswith("flat: ")
    assert bits(resumed) == bits(whole) == bits(load_checkpoint(path))
    untouched = Patients()
    explain_cohort(model, untouched.makers, progress=False, **options)
    assert untouched.opened == []


def test_a_cohort_is_the_mean_of_its_records(model):
    maker = Patients(3, flat=None)
    cohort = explain_cohort(model, (make() for make in maker.makers), "gradient_x_input", progress=False)
    rows = []
    for seed in range(3):
        raw = leadwise.simulate_ecg("LBBB", seed, seconds=5)
        ecg = raw.preprocess().window()
        relevance = leadwise.attribute(model, ecg.tensor(), "gradient_x_input", target=1, explain="log-odds")
        rows.append(summarise(relevance, raw.waves, ecg.signal, pathology="LBBB", mask=ecg.causal_mask))
        rows[-1]["probability"] = float(model.probability(ecg.tensor()))
    assert set(cohort.moments) == set(rows[0])
    for name in cohort.moments:
        np.testing.assert_allclose(cohort.mean(name), np.mean([row[name] for row in rows], axis=0), atol=1e-5)
    table = cohort.table()
    assert table.area.sum() == pytest.approx(1)
    assert table.sum("absolute").sum() == pytest.approx(1)
    assert "the criteria name" in describe(table, pathology="LBBB")
    assert any("Mean of 3 records" in text for text in texts(cohort.plot()))
    assert any("of 3 records (" in text for text in texts(cohort.beat().plot()))


def test_a_summary_in_closed_form():
    ecg = leadwise.simulate_ecg("LBBB", seed=5)
    found = summarise(ecg.causal_mask.astype(float), ecg.waves, ecg.signal, mask=ecg.causal_mask)
    assert found["truth"] == pytest.approx(1)
    assert found["truth_area"] == pytest.approx(ecg.causal_mask.mean())
    even = summarise(np.ones((12, 5000)), ecg.waves, ecg.signal, pathology="LBBB", mask=ecg.causal_mask)
    assert even["truth"] == pytest.approx(even["truth_area"])
    assert even["agreement"] == pytest.approx(even["agreement_area"])
    np.testing.assert_allclose(even["beat"], 1)
    for empty, waves in ((-np.ones((12, 5000)), ecg.waves), (np.ones((12, 5000)), ())):
        with pytest.raises(ValueError, match="no "):
            summarise(empty, waves)


def test_a_checkpoint_of_another_run_is_refused(model, tmp_path):
    path, none = tmp_path / "run", []
    options = {"checkpoint": path, "progress": False}
    explain_cohort(model, none, "lrp_epsilon", epsilon=0.1, **options)
    explain_cohort(model, none, "lrp_epsilon", epsilon=0.1, **options)
    with pytest.raises(CheckpointError, match=r"epsilon: 0\.2 and 0\.1"):
        explain_cohort(model, none, "lrp_epsilon", epsilon=0.2, **options)
    with pytest.raises(CheckpointError, match="model: 'ECGNet"):
        explain_cohort(ECGNet("LBBB"), none, "lrp_epsilon", epsilon=0.1, **options)


def test_names_and_open_records_are_accepted(model, data_dir):
    name = next(iter(leadwise.records("LBBB")))
    cohort = explain_cohort(model, [name, leadwise.load_record(name)], "gradient", progress=False)
    assert cohort.records == 2
    np.testing.assert_array_equal(cohort.spread("share"), 0)


def test_memory_does_not_grow_with_the_records(model):
    base = leadwise.simulate_ecg("LBBB", seed=1).preprocess().window()

    def made(count):
        rng = np.random.default_rng(0)
        for _ in range(count):
            yield replace(base, signal=base.signal + 0.01 * rng.standard_normal(base.signal.shape))

    def peak(count):
        tracemalloc.start()
        cohort = explain_cohort(model, made(count), "random", batch=16, progress=False)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert cohort.records == count
        return memory

    peak(40)  # what is imported and cached on first use
    assert peak(160) - peak(80) < 0.6e6  # 80 records alone are 7.7 MB; the tree of means grows by a level


# --- what a record may do ---------------------------------------------------------------------------------------------


def folder(tmp_path, count=12, seconds=5):
    """WFDB records on disk."""
    paths = []
    for seed in range(count):
        ecg = leadwise.simulate_ecg("LBBB" if seed % 2 else "NORM", seed, seconds=seconds)
        paths.append(ecg.save(tmp_path / "wfdb", f"r{seed}").with_suffix(""))
    return paths


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("cohort"))


@pytest.mark.parametrize("target", [0, 1])
def test_the_probability_is_that_of_the_explained_class(model, paths, target):
    """The mutant "probability of class 1 whatever the target" dies."""
    cohort = explain_cohort(model, paths[:5], "gradient_x_input", target=target, progress=False)
    windows = torch.stack([leadwise.load_ecg(path).preprocess().window().tensor() for path in paths[:5]])
    expected = torch.softmax(model(windows), 1)[:, target].mean().detach()
    assert float(cohort.mean("probability")) == pytest.approx(float(expected), abs=1e-6)


def test_the_probability_of_a_label_is_its_sigmoid(model, paths):
    network = replace(network_of(model), outputs="labels")
    cohort = explain_cohort(network, paths[:3], "gradient_x_input", target=1, progress=False)
    windows = torch.stack([leadwise.load_ecg(path).preprocess().window().tensor() for path in paths[:3]])
    expected = torch.sigmoid(model(windows))[:, 1].mean().detach()
    assert float(cohort.mean("probability")) == pytest.approx(float(expected), abs=1e-6)


def test_bad_records_are_left_out_named_and_counted_and_change_nothing_else(model, paths, tmp_path):
    bad = [spoiled(kind, tmp_path) for kind in FAULTS]
    mixed = [one for pair in zip(paths, [*bad, *[None] * 9], strict=False) for one in pair if one is not None]
    good = explain_cohort(model, paths, "gradient_x_input", progress=False)
    cohort = explain_cohort(model, mixed, "gradient_x_input", progress=False)
    assert (cohort.records, cohort.left_out) == (len(paths), len(FAULTS))
    for path, reason in zip(bad, cohort.reasons, strict=True):
        assert reason.startswith(f"{path}: ")
        assert len(reason) > len(str(path)) + 10
    for name in good.moments:
        np.testing.assert_array_equal(cohort.mean(name), good.mean(name))
        np.testing.assert_array_equal(cohort.spread(name), good.spread(name))


def test_doubtful_records_count_where_they_are_asked_for(model, tmp_path):
    cohort = explain_cohort(model, [spoiled("flat lead", tmp_path)], "gradient", doubtful=True, progress=False)
    assert (cohort.records, cohort.left_out) == (1, 0)


def test_a_record_that_fails_each_time_is_found_and_the_others_keep_their_bits(model, paths):
    def fails():
        raise RuntimeError("the disk is on fire")

    sources = [*paths[:5], fails, *paths[5:]]
    cohort = explain_cohort(model, sources, "gradient_x_input", progress=False)
    assert cohort.reasons == ["record 5: it fails each time (RuntimeError: the disk is on fire)"]
    good = explain_cohort(model, paths, "gradient_x_input", progress=False)
    np.testing.assert_array_equal(cohort.mean("share"), good.mean("share"))


def test_a_failure_that_does_not_come_back_leaves_no_trace(model, paths):
    calls = []

    def moody():
        calls.append(0)
        if len(calls) == 1:
            raise RuntimeError("once")
        return leadwise.load_ecg(paths[0])

    moody_first = explain_cohort(model, [moody, *paths[1:]], "gradient_x_input", progress=False)
    assert moody_first.left_out == 0
    np.testing.assert_array_equal(
        moody_first.mean("share"), explain_cohort(model, paths, "gradient_x_input", progress=False).mean("share")
    )


def test_a_method_that_fails_on_every_record_ends_the_run(model, paths):
    with pytest.raises(ValueError, match="no parameter 'epsilom'"):
        explain_cohort(model, paths, "lrp_epsilon", epsilom=1, progress=False)


# --- groups, rows, checkpoints ----------------------------------------------------------------------------------------


def test_groups_are_the_cohorts_of_their_records(model, paths):
    sex = ["female", "male", None] * 4
    labels = [("LBBB", "AF"), ("LBBB",), ()] * 4
    cohort = explain_cohort(
        model, paths, "gradient_x_input", groups={"sex": sex, "label": labels}, batch=5, progress=False
    )
    assert {name: {k: v.records for k, v in values.items()} for name, values in cohort.groups.items()} == {
        "sex": {"female": 4, "male": 4, "unknown": 4},
        "label": {"AF": 4, "LBBB": 8, "unknown": 4},
    }
    alone = explain_cohort(model, paths[::3], "gradient_x_input", progress=False)
    np.testing.assert_allclose(cohort.groups["sex"]["female"].mean("share"), alone.mean("share"), rtol=1e-6, atol=1e-9)


def test_records_of_a_table_are_chosen_by_its_columns():
    records = Records(
        [Path(name) for name in "abc"], list("abc"), {"sex": ["f", "m", "f"], "dx": [("A", "B"), (), ("B",)]}
    )
    assert records.where(sex="f", dx="B").names == ["a", "c"]
    assert records.where(sex="f").first(1).names == ["a"]
    with pytest.raises(ValueError, match="no column 'age'; the table has sex, dx"):
        records.where(age="3")
    with pytest.raises(ValueError, match="sex has 1 values; expected 3"):
        Records([Path(name) for name in "abc"], list("abc"), {"sex": ["f"]})


def test_other_records_do_not_resume_a_checkpoint(model, paths, tmp_path):
    options = {"batch": 3, "checkpoint": tmp_path / "run", "progress": False}
    explain_cohort(model, paths[:6], "gradient", **options)
    assert explain_cohort(model, paths, "gradient", **options).records == len(paths)
    for others in (paths[::-1], [*paths[1:], paths[0]]):
        with pytest.raises(CheckpointError, match="other records"):
            explain_cohort(model, others, "gradient", **options)


def test_a_folder_of_something_else_is_not_written_to(model, paths, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"thesis\.txt"):
        explain_cohort(model, paths, "gradient", checkpoint=tmp_path, progress=False)


def test_a_checkpoint_may_lie_wherever_fsspec_reaches(model, paths):
    place = "memory://leadwise/run"
    first = explain_cohort(model, paths[:6], "gradient", batch=3, checkpoint=place, progress=False)
    again = explain_cohort(model, paths[:6], "gradient", batch=3, checkpoint=place, progress=False)
    assert bits(first) == bits(again) == bits(load_checkpoint(place))


def test_any_order_of_results_gives_the_same_bits(tmp_path):
    from leadwise.cohort.checkpoint import Checkpoint

    parts = [Cohort.of([{"a": value}]) for value in np.random.default_rng(0).standard_normal((37, 4))]
    found = set()
    for seed in range(5):
        state = Checkpoint({}, tmp_path / str(seed) if seed % 2 else None, every=4)
        for batch in np.random.default_rng(seed).permutation(37):
            state.add(int(batch), replace(parts[batch]))
        state.save()
        found.add(bits(state.whole()))
        if seed % 2:
            assert bits(load_checkpoint(tmp_path / str(seed))) in found
            assert len(list((tmp_path / str(seed)).iterdir())) <= 6
    assert len(found) == 1


def test_one_row_a_record(model, paths, tmp_path):
    pytest.importorskip("pyarrow")
    flat = spoiled("flat lead", tmp_path / "bad")
    options = {"groups": {"sex": ["f", "m"] * 6 + ["f"]}, "rows": tmp_path / "rows", "batch": 5, "progress": False}
    cohort = explain_cohort(model, [*paths, flat], "gradient_x_input", **options)
    rows = read_rows(tmp_path / "rows").to_pylist()
    assert [row["name"] for row in rows] == [str(path) for path in [*paths, flat]]
    assert rows[-1]["left_out"].startswith("Lead aVR is flat")
    counted = [row for row in rows if row["left_out"] is None]
    assert np.mean([row["share_V1_QRS"] for row in counted]) == pytest.approx(cohort.mean("share")[6, 2])
    assert np.mean([row["probability"] for row in counted if row["sex"] == "f"]) == pytest.approx(
        cohort.groups["sex"]["f"].mean("probability")
    )
    resumed = {**options, "checkpoint": tmp_path / "run"}
    explain_cohort(model, [*paths, flat], "gradient_x_input", **{**resumed, "rows": None})
    later = explain_cohort(model, [*paths, flat], "gradient_x_input", **{**resumed, "rows": tmp_path / "later"})
    assert bits(later) == bits(cohort)
    assert read_rows(tmp_path / "later").to_pylist() == rows
    with pytest.raises(CheckpointError, match="rows of another run"):
        explain_cohort(model, paths, "gradient", **{**options, "groups": ()})


def test_interventions_say_what_the_cause_was_worth(model):
    patients = [leadwise.simulate_ecg("LBBB", seed, seconds=5) for seed in range(3)]
    cohort = explain_cohort(model, patients, "gradient", interventions=True, progress=False)
    expected = []
    for patient in patients:
        ecg = patient.preprocess().window()
        x = torch.stack([ecg.tensor(), ecg.counterfactual.tensor(), ecg.swap().tensor()])
        logits = model(x).detach()
        odds = logits[:, 1] - logits[:, 0]
        expected.append([float(odds[0] - odds[1]), float(odds[0] - odds[2])])
    found = [cohort.mean("effect"), cohort.mean("effect_of_cause")]
    np.testing.assert_allclose(found, np.mean(expected, 0), atol=1e-5)


# --- another network --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_leads():
    """A network of V6 and II, in this order, at 250 Hz, with two labels."""
    torch.manual_seed(3)
    body = nn.Sequential(nn.Conv1d(2, 6, 15), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 2))
    return leadwise.Network(
        body, leads=("V6", "II"), fs=250, samples=1000, classes=("LBBB", "AF"), outputs="labels", preprocess="published"
    )


def test_groups_rows_and_differences_know_the_leads_of_the_network(two_leads, model, paths, tmp_path):
    pytest.importorskip("pyarrow")
    options = {"groups": {"sex": ["f", "m"] * 6}, "progress": False}
    cohort = explain_cohort(two_leads, paths, "gradient_x_input", target="LBBB", rows=tmp_path / "rows", **options)
    again = Cohort.from_bytes(cohort.to_bytes())
    for group in (again, *again.groups["sex"].values()):
        assert group.table().names[0] == group.beat().leads == ("V6", "II")
        assert (group.beat().fs, group.mean("beat").shape) == (250, (2, 88 + 125))
    rows = read_rows(tmp_path / "rows")
    assert [name for name in rows.column_names if name.startswith("lead_")] == ["lead_share_V6", "lead_share_II"]
    assert np.mean(rows["lead_share_II"].to_numpy()) == pytest.approx(cohort.mean("lead_share")[1])
    x = torch.cat([two_leads.input(leadwise.load_ecg(path)) for path in paths])
    expected = torch.sigmoid(two_leads.module.eval()(x))[:, 0].mean()
    assert float(cohort.mean("probability")) == pytest.approx(float(expected.detach()), abs=1e-6)
    sexes = difference(*cohort.groups["sex"].values(), "lead_share")
    assert sexes.leads == ("V6", "II")
    assert {"V6", "II"} <= set(texts(sexes.plot()))
    forest(cohort, "sex", "share", ("II", "QRS"))
    with pytest.raises(ValueError, match="expected one of V6, II"):
        forest(cohort, "sex", "lead_share", "V1")
    twelve = explain_cohort(model, paths, "gradient_x_input", rows=tmp_path / "twelve", **options)
    for compare, sides in ((difference, (cohort, twelve)), (paired_difference, (rows, read_rows(tmp_path / "twelve")))):
        with pytest.raises(ValueError, match="expected the same leads"):
            compare(*sides, "lead_share")
        assert compare(*sides, "wave_share").value.shape == (6,)


def test_interventions_of_a_label_at_another_rate(two_leads):
    patient = leadwise.simulate_ecg("LBBB", 4, seconds=6)
    options = {"target": 0, "start": 1.0, "interventions": True, "progress": False}
    cohort = explain_cohort(two_leads, [patient], "gradient", **options)
    own, twin = (two_leads.logits(two_leads.input(one, 1.0))[0, 0] for one in (patient, patient.counterfactual))
    assert float(cohort.mean("effect")) == pytest.approx(float((own - twin).detach()), abs=1e-5)
    mask = patient.resample(250).window(1.0, 1000).causal_mask[[11, 1]]
    assert float(cohort.mean("truth_area")) == pytest.approx(mask.mean())


def test_a_recording_to_its_end_may_have_any_length(two_leads):
    """Windows of several lengths, which can't go through the network together."""
    network = replace(two_leads, samples=None)
    patients = [leadwise.simulate_ecg("LBBB", seed, seconds=seconds) for seed, seconds in enumerate((5, 6, 5, 7))]
    cohort = explain_cohort(network, patients, "gradient", target=0, progress=False)
    own = [float(network.probability(network.input(patient))[0, 0]) for patient in patients]
    assert float(cohort.mean("probability")) == pytest.approx(np.mean(own), abs=1e-6)


def test_a_criterion_that_does_not_exist_is_refused_at_once(model):
    with pytest.raises(ValueError, match="no criteria for 'gout'"):
        explain_cohort(model, [], pathology="gout")


# --- who differs ------------------------------------------------------------------------------------------------------


def test_differences_agree_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (30, 12, 6)), rng.normal(0.5, 3, (50, 12, 6))
    one, other = (Cohort.of([{"share": value} for value in values]) for values in (a, b))
    found = difference(one, other, "share")
    expected = stats.ttest_ind(a, b, equal_var=False)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found.p, expected.pvalue, rtol=1e-8)
    np.testing.assert_allclose([found.low, found.high], [interval.low, interval.high], rtol=1e-8)
    assert "after Holm's correction for 72 comparisons" in " ".join(" ".join(texts(found.plot(title="Sexes"))).split())
    with pytest.raises(ValueError, match="needs two on either side"):
        difference(one, Cohort.of([{"share": a[0]}]), "share")


def test_a_difference_within_strata_knows_composition_from_treatment():
    """Of one stratum it is Welch's test. Other numbers in the strata change nothing; a shift in each is found."""
    rng = np.random.default_rng(5)
    draw = {key: [rng.normal(mean, 1 + mean / 9, count) for count in (9, 40)] for key, mean in {"a": 0, "b": 8}.items()}
    one, other = ({k: Cohort.of([{"x": v} for v in pair[i]]) for k, pair in draw.items()} for i in (0, 1))
    single = difference_within({"a": one["a"]}, {"a": other["a"]}, "x")
    expected = stats.ttest_ind(*draw["a"], equal_var=False)
    assert float(single.p) == pytest.approx(expected.pvalue)
    assert float(single.low) == pytest.approx(expected.confidence_interval().low)
    mixed = {"a": one["a"], "b": Cohort.of([{"x": v} for v in rng.normal(8, 1.9, 400)])}
    assert abs(difference_within(mixed, other, "x").value) < 0.5
    assert difference(mixed["a"].merge(mixed["b"]), other["a"].merge(other["b"]), "x").value > 3
    weights = np.array([9, 400]) / 409
    apart = [mixed[k].mean("x") - other[k].mean("x") for k in "ab"]
    found = difference_within(mixed, other | {"c": one["a"]}, "x")
    assert float(found.value) == pytest.approx(float(weights @ apart))
    assert found.counts == (409, 80)
    with pytest.raises(ValueError, match="no stratum has two records with x on both sides"):
        difference_within({"a": Cohort.of([{"x": 1.0}])}, other, "x")


def test_intervals_within_strata_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(6), 0
    for _ in range(600):
        one, other = (
            {key: Cohort.of([{"x": v} for v in rng.normal(mean + shift, spread, n)]) for key, mean, spread, n in strata}
            for shift, strata in ((0.5, (("a", 0, 1, 5), ("b", 3, 2, 12))), (0, (("a", 0, 1, 30), ("b", 3, 2, 6))))
        )
        found = difference_within(one, other, "x")
        held += found.low <= 0.5 <= found.high
    assert 0.925 < held / 600 < 0.975


def test_holm_is_the_textbooks():
    p = np.array([[0.01, 0.02], [0.03, np.nan], [0.2, 0.9]])
    np.testing.assert_allclose(holm(p), [[0.05, 0.08], [0.09, np.nan], [0.4, 0.9]])


def test_pairs_of_two_methods_agree_with_scipy(model, paths, tmp_path):
    pytest.importorskip("pyarrow")
    rows = []
    for method, records in (("gradient", paths), ("gradient_x_input", paths[2:])):
        explain_cohort(model, records, method, rows=tmp_path / method, progress=False)
        rows.append(read_rows(tmp_path / method))
    found = paired_difference(*rows, "wave_share")
    one, other = ([table[f"wave_share_{wave}"].to_numpy() for wave in WAVES] for table in rows)
    expected = stats.ttest_rel(np.array(one)[:, 2:], other, axis=1)
    np.testing.assert_allclose(found.p, expected.pvalue, rtol=1e-8)
    np.testing.assert_allclose(found.low, expected.confidence_interval().low, rtol=1e-8)
    assert found.counts == (10, 10)
    assert paired_difference(*rows, "probability").value == 0
    with pytest.raises(ValueError, match="no column 'nonsense'"):
        paired_difference(*rows, "nonsense")


def test_a_forest_shows_every_group_with_its_number(model, paths):
    cohort = explain_cohort(model, paths, "gradient", groups={"sex": ["f", "m"] * 6}, progress=False)
    figure = forest(cohort, "sex", "wave_share", "QRS")
    assert {"all (n = 12)", "f (n = 6)", "m (n = 6)"} <= set(texts(figure))
    low, high = (float(end[2]) for end in cohort.interval("wave_share"))
    assert any(
        text == f"{number(float(cohort.mean('wave_share')[2]))} [{number(low)}, {number(high)}]"
        for text in texts(figure)
    )
    forest(cohort, "sex", "share", ("V1", "QRS"))
    forest(cohort, "sex", "probability")
    for wrong in (("sex", "wave_share", "V1"), ("sex", "probability", "QRS"), ("age", "probability")):
        with pytest.raises(ValueError, match=r"no part|not grouped by"):
            forest(cohort, *wrong)


# --- several classes at once ------------------------------------------------------------------------------------------


def test_several_classes_in_one_run_are_those_of_one_run_each(two_leads, paths, tmp_path):
    pytest.importorskip("pyarrow")
    options = {"method": "lrp_epsilon", "groups": {"sex": ["f", "m"] * 6}, "progress": False, "batch": 5}
    both = explain_cohort(two_leads, paths, target=("AF", "LBBB"), rows=tmp_path / "rows", **options)
    assert Cohort.from_bytes(both.to_bytes()).groups["class"]["AF"].records == 12
    assert (both.records, list(both.moments), list(both.groups)) == (12, [], ["class"])
    for name, one in both.groups["class"].items():
        alone = explain_cohort(two_leads, paths, target=name, **options)
        for mine, other in ((one, alone), *zip(one.groups["sex"].values(), alone.groups["sex"].values(), strict=True)):
            assert mine.moments.keys() == other.moments.keys()
            for key in mine.moments:
                np.testing.assert_array_equal(mine.mean(key), other.mean(key))
                np.testing.assert_array_equal(mine.spread(key), other.spread(key))
        assert ("agreement" in one.moments) == (name in two_leads.criteria)
    rows = read_rows(tmp_path / "rows").to_pylist()
    assert len(rows) == 24
    af = [row["probability"] for row in rows if row["class"] == "AF"]
    assert np.mean(af) == pytest.approx(both.groups["class"]["AF"].mean("probability"))


def test_a_record_may_say_nothing_of_one_class_alone(two_leads, paths):
    """Whatever speaks for the second class never does: those records are left out there, and counted as a whole."""
    network = replace(two_leads, module=copy.deepcopy(two_leads.module))
    with torch.no_grad():
        network.module[-1].weight[1], network.module[-1].bias[1] = 0, -1
    cohort = explain_cohort(network, [*paths[:3], paths[0].with_name("none")], target=(0, 1), progress=False, batch=2)
    each = cohort.groups["class"]
    assert (cohort.records, cohort.left_out) == (3, 1)
    assert {name: (one.records, one.left_out) for name, one in each.items()} == {"LBBB": (3, 1), "AF": (0, 4)}
    assert "no positive relevance" in each["AF"].reasons[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": ("AF", "AF")}, "several different ones"),
        ({"target": ()}, "expected one class"),
        ({"target": ("AF", "MI")}, "MI"),
        ({"target": (0, 1), "pathology": "LBBB"}, r"criteria=\{...\}"),
        ({"target": (0, 1), "groups": {"class": [1]}}, "rename it"),
    ],
)
def test_classes_that_make_no_sense_are_refused(two_leads, paths, changes, message):
    with pytest.raises(ValueError, match=message):
        explain_cohort(two_leads, paths[:1], progress=False, **changes)
