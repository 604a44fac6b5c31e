"""The ground-truth benchmark on a few patients: its schema, that it resumes, and that it measures what it says."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from leadwise import METHODS, NETWORKS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import ground_truth as benchmark

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]


def task(method, folder, count=3):
    return method, "ECG", "embedded", None, "LBBB", count, str(folder), False


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    return [row for method in ("deeplift", "square", "random") for row in benchmark.run(task(method, folder))]


def test_every_column_is_documented_and_filled(rows, tmp_path):
    benchmark.write(tmp_path / "table.csv", rows, 0.0, 1)
    with (tmp_path / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == list(benchmark.SCHEMA)
    empty = {column for line in table for column, value in line.items() if not value}
    assert empty == {"parameters", "right"}  # only scenes have a second object
    facts = json.loads((tmp_path / "table.json").read_text())
    assert facts["summary"]["ECG embedded LBBB"]["best method"] == "deeplift"
    assert facts["columns"] == benchmark.SCHEMA


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    first = benchmark.run(task("square", tmp_path))
    monkeypatch.setattr(benchmark, "patients", None)
    assert benchmark.run(task("square", tmp_path)) == first


def test_a_control_can_win_at_localisation_and_lose_at_the_interventions(rows):
    """On a bundle branch block the squared voltage lies on what differs, and says nothing about the answer."""
    found = {row["method"]: row for row in rows if row["setting"] != "tuned"}
    lift, misplaced = ({name: np.mean(row[key]) for name, row in found.items()} for key in ("lift", "misplaced"))
    assert lift["square"] > lift["deeplift"] > lift["random"] - 0.1
    assert misplaced["deeplift"] < 0.1 < misplaced["square"]


def test_a_network_of_another_form_is_measured_as_the_course_s_own(tmp_path):
    """Eight leads at 100 Hz and five labels: the class, the parts and the masks are those of that network."""
    known = benchmark.patients("xresnet1d", "xresnet1d", "LBBB", "test", 3)
    assert known.x.shape == known.mask.shape == known.parts.places.shape == (3, 8, 1000)
    assert known.target.tolist() == [NETWORKS["xresnet1d"].classes.index("LBBB")] * 3
    gap = [NETWORKS["xresnet1d"].log_odds(x)[:, known.target[0]].detach() for x in (known.x, known.twin)]
    assert known.effects.sum(1) == pytest.approx((gap[0] - gap[1]).numpy(), abs=1e-3)
    common = "ECG", "xresnet1d", "xresnet1d", "LBBB", 3, str(tmp_path), True
    found = {name: benchmark.run((name, *common))[0] for name in ("integrated_gradients", "square")}
    assert found["square"]["architecture"] == "XResNet1d"
    assert np.mean(found["integrated_gradients"]["misplaced"]) < np.mean(found["square"]["misplaced"])


def test_white_noise_has_no_lift(rows):
    assert np.mean(next(row for row in rows if row["method"] == "random")["lift"]) == pytest.approx(0, abs=0.02)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Return the rows of two methods and two controls on six scenes of two objects."""
    folder = str(tmp_path_factory.mktemp("scenes"))
    names = ("deeplift", "integrated_gradients", "square", "random")
    return {name: benchmark.run((name, "scenes", "embedded", None, "object", 6, folder, True))[0] for name in names}


def test_in_scenes_the_explained_object_speaks_for_the_class_and_the_other_one_against_it(scenes):
    effects = benchmark.scenes(6).effects
    assert (effects[:, 0] > 0).all()
    assert (effects[:, 1] < 0).all()
    assert (np.abs(effects[:, 2]) < 0.3 * effects[:, 0]).all()


def test_scenes_separate_methods_from_controls(scenes):
    found = {name: np.mean(row["misplaced"]) for name, row in scenes.items()}
    assert max(found["deeplift"], found["integrated_gradients"]) < 0.15 < 0.4 < min(found["square"], found["random"])
    assert np.mean(scenes["deeplift"]["right"]) > 0.9


def test_every_method_has_the_same_budget_of_settings():
    for name, row in METHODS.items():
        label, plain, others = benchmark.settings_of(name, images=False)
        assert len(others) < benchmark.BUDGET
        assert (label == "default") == (not plain)
        known = {parameter.name for parameter in row.parameters}
        assert all(set(one) <= known for one in (plain, *others)), name


def test_intervals_over_networks_need_several():
    rows = [{"architecture": "ECGNet", "model": f"seed{i}", "cause": "AVB", "method": "m", "setting": "default",
             "misplaced": [0.1 * i, 0.1 * i]} for i in range(3)]  # fmt: skip
    assert benchmark.over_networks(rows[:1]) == benchmark.between_networks(rows[:1]) == {}
    found = benchmark.over_networks(rows)["AVB"]["m"]
    assert found["networks"] == 3
    assert found["misplaced"] == pytest.approx([0.1, 0.1 - 0.2484, 0.1 + 0.2484], abs=1e-3)


# The committed result ------------------------------------------------------------------------------------------------

HERE = Path(benchmark.__file__).parent


def test_two_networks_agree_where_they_rank_the_methods_alike():
    made = {"a": (0.1, 0.2, 0.3, 0.4), "b": (0.2, 0.3, 0.4, 0.5), "c": (0.5, 0.4, 0.3, 0.2)}
    same = {"architecture": "ECGNet", "cause": "AVB", "setting": "default"}
    rows = [same | {"model": model, "method": str(k), "misplaced": [value]}
            for model, values in made.items() for k, value in enumerate(values)]  # fmt: skip
    assert benchmark.between_networks(rows)["AVB"] == pytest.approx((1 - 1 - 1) / 3, abs=1e-3)


@pytest.fixture(scope="module")
def places():
    """Return, of each cause of the embedded networks, method -> (family, place by intervention, by localisation)."""
    rows = list(csv.DictReader((HERE / "ground_truth.csv").read_text().splitlines()))
    rows = [
        r for r in rows if r["model"] == "embedded" and r["setting"] != "tuned" and r["misplaced"] not in ("", "nan")
    ]
    out = {}
    for cause in dict.fromkeys(row["cause"] for row in rows):
        some = [row for row in rows if row["cause"] == cause]
        orders = [
            [row["method"] for row in sorted(some, key=lambda row: sign * float(row[score]))]
            for score, sign in (("misplaced", 1), ("lift", -1))
        ]
        out[cause] = {r["method"]: (r["family"], *(o.index(r["method"]) + 1 for o in orders)) for r in some}
    return out


def test_in_at_least_three_families_of_methods_the_two_scores_disagree_by_a_third_of_the_places(places):
    apart = {
        family
        for found in places.values()
        for family, by_effect, by_place in found.values()
        if abs(by_effect - by_place) >= len(found) / 3
    }
    assert len(apart - {"control"}) >= 3, apart


def test_the_committed_table_has_controls_and_every_method_for_each_network_it_names():
    rows = list(csv.DictReader((HERE / "ground_truth.csv").read_text().splitlines()))
    assert list(rows[0]) == list(benchmark.SCHEMA)
    groups = {(row["data"], row["model"], row["cause"]) for row in rows}
    assert {("ECG", "embedded", cause) for cause in benchmark.ECG_MODELS} | {("scenes", "embedded", "object")} <= groups
    for group in groups:
        assert {r["method"] for r in rows if (r["data"], r["model"], r["cause"]) == group} == set(METHODS), group
