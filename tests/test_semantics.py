"""Semantics against closed forms, identities, the simulator's exact waves, numpy and scipy, and the real records."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import leadwise
from leadwise import ECG, semantics
from leadwise.ecg.leads import LEADS
from leadwise.ecg.waves import Wave
from leadwise.networks.weights import ECG_MODELS, convert_keras
from leadwise.semantics import (
    CRITERIA,
    LEAD_GROUPS,
    WAVES,
    agreement,
    beat_average,
    describe,
    group_relevance,
    lead_relevance,
    lead_wave_matrix,
    wave_labels,
    wave_relevance,
    waves_of,
)

# One beat: P [10, 20), PR [20, 30), QRS [30, 40), ST [40, 60), T [60, 90); of 100 samples.
BEAT = (Wave("P", 0, 10, 15, 20), Wave("QRS", 0, 30, 35, 40), Wave("T", 0, 60, 75, 90))
SPANS = {"P": (10, 20), "PR": (20, 30), "QRS": (30, 40), "ST": (40, 60), "T": (60, 90)}


def one_cell(lead, wave, value=1.0):
    """Relevance of the beat above that lies in one lead and one wave."""
    relevance = np.zeros((12, 100))
    relevance[LEADS.index(lead), slice(*SPANS[wave])] = value
    return relevance


def noise(samples=100, seed=0):
    return np.random.default_rng(seed).standard_normal((12, samples))


# --- labels ----------------------------------------------------------------------------------------------------------


def test_every_sample_has_the_label_of_its_span():
    expected = ["rest"] * 100
    for name, (start, stop) in SPANS.items():
        expected[start:stop] = [name] * (stop - start)
    assert [WAVES[i] for i in wave_labels(BEAT, 100)] == expected


def test_labels_at_the_edges_of_a_window_and_of_incomplete_beats():
    early = wave_labels([wave.shift(-35) for wave in BEAT], 30)  # the window starts within QRS and ends within T
    assert [WAVES[i] for i in early] == ["QRS"] * 5 + ["ST"] * 20 + ["T"] * 5
    assert set(wave_labels([wave.shift(500) for wave in BEAT], 100)) == {WAVES.index("rest")}
    unconducted = wave_labels((BEAT[0], Wave("QRS", 1, 30, 35, 40)), 100)  # a P whose QRS belongs to another beat
    assert WAVES.index("PR") not in unconducted
    assert (unconducted == WAVES.index("P")).sum() == 10


def test_overlapping_waves_give_qrs_the_precedence_and_single_leads_do_not_count():
    overlapping = (replace(BEAT[0], offset=33), BEAT[1], replace(BEAT[2], onset=38))
    labels = wave_labels((*overlapping, Wave("T", 0, 0, 5, 100, lead="V1")), 100)
    assert (labels == WAVES.index("QRS")).sum() == 10
    assert not np.isin(labels, [WAVES.index("PR"), WAVES.index("ST")]).any()
    assert (labels[40:90] == WAVES.index("T")).all()


@pytest.mark.parametrize("condition", ["NORM", "AVB", "LBBB", "AF", "AVB2", "PVC"])
def test_labels_of_simulated_patients_are_their_waves(condition):
    ecg = leadwise.simulate_ecg(condition, seed=4)
    waves = waves_of(ecg, start=1.4)
    labels = wave_labels(waves, 2000)
    assert labels.shape == (2000,)
    assert set(labels) <= set(range(len(WAVES)))
    inside = np.zeros(2000, bool)
    for wave in (wave for wave in ecg.waves if wave.kind == "QRS"):
        inside[max(wave.onset - 700, 0) : max(wave.offset - 700, 0)] = True
    np.testing.assert_array_equal(labels == WAVES.index("QRS"), inside)
    if condition == "AF":
        assert not np.isin(labels, [WAVES.index("P"), WAVES.index("PR")]).any()


def test_waves_of_a_recording_without_known_waves_are_delineated():
    simulated = leadwise.simulate_ecg("NORM", seed=3)
    plain = ECG(simulated.signal)
    found, known = (wave_labels(waves_of(ecg, 2.0), 2000) for ecg in (plain, simulated))
    qrs = WAVES.index("QRS")
    assert ((found == qrs) == (known == qrs)).mean() > 0.97
    assert waves_of(ECG(np.zeros((12, 5000)))) == ()
    for start in (-0.1, 10.1, 650, float("nan")):
        with pytest.raises(ValueError, match=r"expected 0 to 10 \(seconds\)"):
            waves_of(plain, start)


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", ["I", "aVR", "V6"])
@pytest.mark.parametrize("wave", list(SPANS))
def test_relevance_in_one_lead_and_wave(lead, wave):
    matrix = lead_wave_matrix(one_cell(lead, wave), BEAT)
    cell = LEADS.index(lead), WAVES.index(wave)
    width = np.subtract(*SPANS[wave][::-1])
    assert matrix.share()[cell] == 1
    assert matrix.share().sum() == 1
    assert matrix.area[cell] == pytest.approx(width / 1200)
    assert matrix.lift()[cell] == pytest.approx(1200 / width)
    assert matrix.ranked()[0] == ((lead, wave), 1.0)
    assert matrix.sum("signed")[cell] == pytest.approx(width)
    assert lead_wave_matrix(-one_cell(lead, wave), BEAT).share("negative")[cell] == 1


def test_tables_share_out_the_relevance():
    relevance = noise()
    matrix, leads, waves = lead_wave_matrix(relevance, BEAT), lead_relevance(relevance), wave_relevance(relevance, BEAT)
    labels = wave_labels(BEAT, 100)
    for sign, values in {
        "signed": relevance,
        "absolute": np.abs(relevance),
        "positive": relevance.clip(min=0),
        "negative": relevance.clip(max=0),
    }.items():
        by_cell = np.array([[row[labels == i].sum() for i in range(6)] for row in values])
        np.testing.assert_allclose(matrix.sum(sign), by_cell, atol=1e-12)
        np.testing.assert_allclose(leads.sum(sign), values.sum(1), atol=1e-12)
        np.testing.assert_allclose(waves.sum(sign), by_cell.sum(0), atol=1e-12)
        if sign != "signed":
            assert matrix.share(sign).sum() == pytest.approx(1)
    assert matrix.share("signed").sum() == pytest.approx(relevance.sum() / np.abs(relevance).sum())
    for table in (matrix, leads, waves):
        assert table.area.sum() == pytest.approx(1)


def test_an_even_spread_has_lift_one_everywhere():
    matrix = lead_wave_matrix(torch.ones(1, 12, 100), BEAT)
    np.testing.assert_allclose(matrix.lift(), 1)
    assert np.isnan(lead_wave_matrix(np.ones((12, 100)), BEAT[:1]).lift()[:, WAVES.index("QRS")]).all()


def test_groups_share_out_the_leads():
    assert sorted(sum(LEAD_GROUPS.values(), ())) == sorted(LEADS)
    assert tuple(LEAD_GROUPS) == ("septal", "anterior", "lateral", "inferior", "right")
    relevance = noise()
    groups = group_relevance(lead_wave_matrix(relevance, BEAT))
    assert groups.names == (tuple(LEAD_GROUPS), WAVES)
    by_lead = dict(zip(LEADS, relevance.sum(1), strict=True))
    expected = [sum(by_lead[lead] for lead in leads) for leads in LEAD_GROUPS.values()]
    np.testing.assert_allclose(group_relevance(relevance).sum(), expected)
    np.testing.assert_allclose(groups.along(0).sum(), expected)
    assert groups.area.sum() == pytest.approx(1)


def test_what_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 100\)"):
        lead_wave_matrix(np.ones((3, 100)), BEAT)
    with pytest.raises(ValueError, match="NaN"):
        lead_relevance(np.full((12, 100), np.nan))
    matrix = lead_wave_matrix(noise(), BEAT)
    with pytest.raises(ValueError, match="'positive', 'negative'"):
        matrix.sum("both")
    with pytest.raises(ValueError, match="balance"):
        matrix.lift("signed")
    with pytest.raises(ValueError, match="V7"):
        group_relevance(noise(), {"back": ("V7",)})
    with pytest.raises(ValueError, match="rows"):
        group_relevance(group_relevance(noise()))


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_tables_are_drawn():
    matrix = lead_wave_matrix(one_cell("V1", "QRS"), BEAT)
    drawn = texts(matrix.plot(title="Where"))
    assert {*LEADS, *WAVES, "100 %"} <= set(drawn)
    assert "120.0" in texts(matrix.plot(lift=True))
    assert "+100 %" in texts(matrix.plot("signed"))
    assert {*LEAD_GROUPS, "100 %"} <= set(texts(group_relevance(matrix).plot()))
    assert "100 %" in texts(matrix.along(1).plot())


# --- beats -----------------------------------------------------------------------------------------------------------


def test_the_average_of_equal_beats_is_the_beat():
    beat = noise(100)
    relevance = np.tile(beat, 5)
    average = beat_average(relevance, [50, 150, 250, 350, 450], relevance, fs=100, before=0.3, after=0.5)
    assert average.count == 5
    np.testing.assert_allclose(average.mean, beat[:, 20:100], atol=1e-12)
    np.testing.assert_allclose(average.signal, beat[:, 20:100], atol=1e-12)
    np.testing.assert_allclose(average.spread, 0, atol=1e-12)
    np.testing.assert_allclose(average.time[[0, 30]], [-300, 0])


def test_the_average_of_a_constant_is_the_constant():
    ecg = leadwise.simulate_ecg("NORM", seed=1)
    average = beat_average(np.full((12, 5000), 3.0), waves_of(ecg), ecg)
    np.testing.assert_array_equal(average.mean, 3)
    np.testing.assert_array_equal(average.spread, 0)
    assert [wave.kind for wave in average.waves] == ["P", "QRS", "T"]
    assert average.waves[1].peak == np.flatnonzero(average.time == 0)[0]


def test_only_whole_beats_are_averaged():
    relevance = noise(1000)
    average = beat_average(relevance, [10, 300, 600, 990], fs=500, before=0.2, after=0.3)
    pieces = np.stack([relevance[:, peak - 100 : peak + 150] for peak in (300, 600)])
    assert average.count == 2
    np.testing.assert_allclose(average.mean, pieces.mean(0))
    np.testing.assert_allclose(average.spread, pieces.std(0))
    with pytest.raises(ValueError, match="none of the beats"):
        beat_average(relevance, [10, 990])
    with pytest.raises(ValueError, match="no signal"):
        average.plot()
    with pytest.raises(ValueError, match="spread"):
        beat_average(relevance, [500], relevance).plot("median")


def test_the_average_beat_is_drawn():
    ecg = leadwise.simulate_ecg("LBBB", seed=2).preprocess().window()
    average = beat_average(noise(2000), ecg.waves, ecg)
    for what in ("mean", "spread"):
        assert any(f"of {average.count} beats" in text for text in texts(average.plot(what)))


# --- criteria --------------------------------------------------------------------------------------------------------


def test_the_table_of_criteria():
    assert set(CRITERIA) == set(ECG_MODELS)
    cells = {name: {(LEADS[i], WAVES[j]) for i, j in np.argwhere(row.cells)} for name, row in CRITERIA.items()}
    assert cells["LBBB"] == {(lead, "QRS") for lead in ("I", "aVL", "V1", "V5", "V6")}  # Surawicz 2009, Strauss 2011
    assert cells["RBBB"] == {(lead, "QRS") for lead in ("I", "V1", "V2", "V6")}
    assert cells["AVB"] == {(lead, wave) for lead in LEADS for wave in ("P", "PR")}
    assert cells["ISCH"] == {(lead, wave) for lead in LEADS for wave in ("ST", "T")}
    assert all("doi:10." in row.source and row.says for row in CRITERIA.values())


@pytest.mark.parametrize(
    ("waves", "leads", "message"),
    [
        (("Foo",), ("V1",), r"waves is \('Foo',\); expected a tuple with some of P, PR"),
        ((), ("V1",), r"waves is \(\)"),
        ("ST", ("V1",), "waves is 'ST'"),
        (("QRS",), ("V1", "V7"), r"leads is \('V1', 'V7'\); expected a tuple with some of I, II"),
    ],
)
def test_a_criterion_names_waves_and_leads_that_there_are(waves, leads, message):
    with pytest.raises(ValueError, match=message):
        semantics.Criterion("says", waves, leads, "source")


def test_agreement_in_closed_form():
    found = agreement(lead_wave_matrix(one_cell("V1", "QRS") + one_cell("V3", "QRS"), BEAT), "LBBB")
    assert found.share == pytest.approx(0.5)
    assert found.area == pytest.approx(5 * 10 / 1200)
    assert found.lift == pytest.approx(12)
    both = lead_wave_matrix(one_cell("V1", "QRS") + one_cell("V3", "QRS") + one_cell("V1", "T"), BEAT)
    assert agreement(both, "LBBB", companions=True).share == pytest.approx(40 / 50)  # T lasts 30 samples
    assert agreement(both, CRITERIA["LBBB"].wider) == agreement(both, "LBBB", companions=True)
    assert agreement(both, "RBBB", companions=True) == agreement(both, "RBBB")  # Surawicz 2009 lists none there
    nothing_against = agreement(lead_wave_matrix(-one_cell("V1", "QRS") + one_cell("V3", "T"), BEAT), "LBBB")
    assert nothing_against.share == 0
    assert np.isnan(agreement(lead_wave_matrix(np.ones((12, 100)), ()), "AVB").lift)
    with pytest.raises(ValueError, match="AVB, ISCH, LBBB, RBBB"):
        agreement(lead_wave_matrix(noise(), BEAT), "AF")


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_the_known_cause_of_an_av_block_lies_where_its_criterion_is_read(seed):
    """The simulator defines the cause of an AV block as all samples from P onset to QRS onset: the cells P and PR."""
    ecg = leadwise.simulate_ecg("AVB", seed=seed, noise=False)
    found = agreement(lead_wave_matrix(ecg.causal_mask.astype(float), waves_of(ecg)), "AVB")
    assert found.share > 0.85
    assert found.lift > 0.85 / found.area


@pytest.mark.parametrize("condition", ["LBBB", "RBBB", "ISCH"])
def test_what_a_condition_changes_lies_where_its_criterion_is_read(condition):
    """The squared difference from the same patient without the condition, mean of ten patients."""
    lifts = []
    for seed in range(30, 40):
        ecg = leadwise.simulate_ecg(condition, seed=seed, noise=False)
        change = (ecg.signal - ecg.counterfactual.signal) ** 2
        lifts.append(agreement(lead_wave_matrix(change, waves_of(ecg)), condition).lift)
    assert np.mean(lifts) > 2


# --- describe --------------------------------------------------------------------------------------------------------


def test_a_description_in_closed_form():
    relevance = 6 * one_cell("V1", "QRS") + 2 * one_cell("V6", "QRS") + one_cell("V3", "ST")
    assert describe(relevance, BEAT, "LBBB") == (
        "80 % of the positive relevance lies in the QRS complex (10 % of the recording), most in V1 (60 %) and "
        "V6 (20 %); 20 % in the ST segment (20 %). "
        "For LBBB the criteria name the QRS complex in I, aVL, V1, V5, V6: these hold 80 % of the positive relevance "
        "on 4 % of the recording, 19.2 times what an even spread would put there. "
        "With the ST segment and the T wave there, which belong to LBBB and define it less, it is 80 % on 25 %, "
        "3.2 times."
    )
    assert describe(lead_wave_matrix(relevance, BEAT)) == describe(relevance, BEAT, "LBBB").split(" For LBBB")[0]


def test_st_and_t_belong_to_a_left_bundle_branch_block():
    """Surawicz 2009, complete LBBB, point 5: "ST and T waves usually opposite in direction to QRS"."""
    row = CRITERIA["LBBB"]
    assert (row.waves, row.companions, row.wider.waves) == (("QRS",), ("ST", "T"), ("QRS", "ST", "T"))
    assert all(CRITERIA[name].wider == CRITERIA[name] for name in ("AVB", "ISCH", "RBBB"))
    for said in ("no q in I, V5, V6", "above 60 ms", "opposite to QRS"):
        assert said in row.says


def test_a_no_is_said_first_and_no_criteria_follow():
    relevance = 6 * one_cell("V1", "QRS") - 18 * one_cell("V6", "QRS")
    no = describe(relevance, BEAT, "LBBB", probability=0.02)
    assert no == (
        "The LBBB network does not name LBBB (p = 0.020). 75 % of its relevance speaks against. What raised its "
        "log-odds although the answer is no: 100 % of the positive relevance lies in the QRS complex (10 % of the "
        "recording), most in V1 (100 %); 0 % in the P wave (10 %)."
    )
    yes = describe(relevance, BEAT, "LBBB", probability=0.9999)
    assert yes.startswith("The LBBB network names LBBB (p > 0.999). 75 % of its relevance speaks against. 100 % of the")
    assert yes.endswith(describe(relevance, BEAT, "LBBB"))
    assert describe(relevance, BEAT, probability=0.5).startswith("The network names its pathology (p = 0.500).")
    assert "No sample has positive" in describe(-np.ones((12, 100)), BEAT, "LBBB", probability=0.1)
    with pytest.raises(ValueError, match=r"probability is 98; expected a number from 0 to 1"):
        describe(relevance, BEAT, probability=98)


def test_an_even_map_says_nothing():
    sentence = describe(np.ones((12, 100)), BEAT, "AVB")
    assert "P wave and the PR segment in any lead: these hold 20 %" in sentence
    assert "on 20 % of the recording, 1.0 times" in sentence


def test_descriptions_of_maps_without_evidence_or_beats():
    assert describe(-np.ones((12, 100)), BEAT, "LBBB").startswith("No sample has positive relevance")
    sentence = describe(one_cell("II", "T"), (), "LBBB")
    assert "No heartbeat could be delineated" in sentence
    assert "II (100 %)." in sentence
    assert "none could be delineated" in sentence
    with pytest.raises(ValueError, match="no criteria for 'LVH'"):
        describe(noise(), BEAT, "LVH")


# --- the real records ------------------------------------------------------------------------------------------------


def real(reference, pathology, record):
    folder = reference / "models" / pathology
    model = convert_keras(folder / "model.json", folder / "weights.h5").eval()
    signal = np.load(reference / "ecg" / f"ptbxl_{record}_preprocessed.npy").T
    return model, ECG(signal, preprocessed=True)


@pytest.mark.parametrize("method", ["lrp_epsilon", "lrp_epsilon_0_25_std_x", "lrpsign_epsilon_0_25_std_x", "deeplift"])
def test_the_real_lbbb_is_read_in_qrs_of_v1_or_v6(reference, method):
    model, ecg = real(reference, "LBBB", "14493")
    relevance = leadwise.attribute(model, ecg.tensor(), method, target=1, progress=False)
    sentence = describe(relevance, waves_of(ecg), "LBBB")
    first = sentence.split(";")[0]
    assert "lies in the QRS complex" in first
    assert "V1 (" in first or "V6 (" in first
    assert "For LBBB the criteria name the QRS complex in I, aVL, V1, V5, V6" in sentence


def test_the_real_av_block_is_described_as_the_map_has_it(reference):
    """The largest part of the sentence is the largest sum of the published LRP map, whatever it is."""
    model, ecg = real(reference, "AVB", "03509")
    published = np.load(reference / "maps" / "AVB_03509.npz")["lrp_epsilon_0_1"].T
    ours = leadwise.attribute(model, ecg.tensor(), "lrp_epsilon_0_1", target=1, progress=False).numpy()
    waves = waves_of(ecg)
    labels = wave_labels(waves, 2000)
    sums = [published.clip(min=0)[:, labels == i].sum() for i in range(len(WAVES))]
    largest, share = int(np.argmax(sums)), max(sums) / sum(sums)
    sentence = describe(ours, waves, "AVB")
    assert sentence.startswith(f"{share * 100:.0f} % of the positive relevance lies in ")
    assert semantics.criteria.WAVE_NAMES[WAVES[largest]] in sentence.split("(")[0]
    assert "For AVB the criteria name the P wave and the PR segment in any lead" in sentence
