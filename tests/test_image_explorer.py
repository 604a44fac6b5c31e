"""The picture explorer: every option of every control changes the picture or leaves it, and nothing fails unseen."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ecgxai import METHODS, attribute
from ecgxai.explorers import ImageExplorer
from ecgxai.explorers.base import control_for
from ecgxai.explorers.images import FAMILIES
from ecgxai.images.io import ImageError, load_photograph, photographs
from ecgxai.images.scenes import make_scene
from ecgxai.models.alexnet import load_alexnet, preprocess
from ecgxai.plotting.explained import mathtext, plot_explained, positive_share

QUICK = {"samples": 10, "segment": 112, "window": 112, "stride": 112, "cell": 112, "steps": 3}


@pytest.fixture
def explorer(data_dir, patient):
    return ImageExplorer(3, "embedded")


def values(control):
    """Return values to try: every option, or both ends of a range."""
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    return [control.min, control.max] if hasattr(control, "min") else [not control.value, control.value]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.png"
    Image.fromarray(make_scene(1).image).save(path)
    return path


@pytest.mark.parametrize("name", ["style", "clip", "threshold", "sign", "target", "seed", "mark"])
def test_every_control_changes_the_picture(explorer, name):
    control = explorer.controls[name]
    explorer.controls["threshold"].value = 0.1
    for value in values(control):
        before, changed = explorer.canvas.value, control.value != value
        same_class = name == "target" and {control.value, value} == {None, values(control)[1]}
        control.value = value
        assert explorer.error is None
        assert control.value == value
        assert (explorer.canvas.value == before) == (not changed or same_class)


def test_every_picture_can_be_chosen_and_brings_its_controls(explorer, file):
    explorer.controls["path"].value = str(file)
    seen = set()
    for value in values(explorer.controls["picture"]):
        explorer.controls["picture"].value = value
        assert explorer.error is None
        seen.add(explorer.canvas.value)
        offered = [control.description for control in explorer.source_box.children]
        wanted = {
            "one": ["seed", "mark in the corner"],
            "two": ["seed", "mark in the corner"],
            "own": ["path", "upload"],
        }
        assert offered == ["picture", *wanted.get(value, []), "explained"]
    assert len(seen) == len(values(explorer.controls["picture"])) == 3 + len(photographs())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_shows_its_own_controls_and_map(explorer, family, monkeypatch):
    def quick(parameter, images=False):
        control = control_for(parameter, images)
        if parameter.name in QUICK and not hasattr(control, "options"):
            control.value = QUICK[parameter.name]
        elif parameter.name in QUICK:
            control.value = min(
                (stop for _, stop in control.options), key=lambda stop: abs(stop - QUICK[parameter.name])
            )
        return control

    monkeypatch.setattr("ecgxai.explorers.base.control_for", quick)
    explorer.controls["family"].value = family
    methods = values(explorer.controls["method"])
    assert methods == [name for name, row in METHODS.items() if row.family == family]
    for name in methods:
        explorer.controls["method"].value = name
        assert explorer.error is None
        assert set(explorer.parameters) == {p.name for p in METHODS[name].parameters if p.default is not None}
        assert explorer.alt.startswith(METHODS[name].title)
        assert f'"{name}"' in explorer.code()


def test_every_option_of_a_rule_can_be_chosen(data_dir):
    explorer = ImageExplorer(3, "embedded", method="lrp_gamma", families=("LRP",), gamma=0.3)
    assert values(explorer.controls["family"]) == ["LRP"]
    assert explorer.parameters["gamma"].value == 0.3
    for name, control in explorer.parameters.items():
        for value in values(control):
            control.value = value
            assert explorer.error is None
            assert explorer.settings()[name] == value
            assert (f"{name}=" in explorer.code()) == (value != METHODS["lrp_gamma"].defaults()[name])


def test_a_parameter_changes_the_map(explorer):
    explorer.controls["family"].value = "perturbation"
    before, window = explorer.canvas.value, explorer.parameters["window"]
    assert window.value == 32, "the default for images"
    window.value = max(stop for stop in values(window) if stop <= 100)
    assert explorer.canvas.value != before


def test_the_printed_code_makes_the_map_that_is_shown(explorer):
    explorer.controls["family"].value = "LRP"
    explorer.controls["method"].value = "lrp_epsilon"
    explorer.parameters["epsilon"].value = 10.0
    explorer.controls["target"].value = fish = explorer.model.class_names.index("fish")
    shown = explorer.relevance(explorer.shown, fish, "lrp_epsilon", tuple(sorted(explorer.settings().items())))
    names = {"attribute": attribute, "preprocess": preprocess, "make_scene": make_scene}
    again = eval(explorer.code(), names | {"net": load_alexnet("embedded")})
    assert torch.equal(again, shown)


def test_classes_on_offer_are_the_most_probable_and_those_in_the_picture(explorer):
    for seed in range(6):
        explorer.controls["seed"].value = seed
        scene = make_scene(seed, objects=2)
        with torch.no_grad():
            best = explorer.model(preprocess(scene.image)).argsort(descending=True)[:5].tolist()
        offered = values(explorer.controls["target"])
        assert offered[:6] == [None, *best]
        assert set(offered[1:]) == set(best) | {thing.index for thing in scene.objects}


def test_a_file_is_read_from_its_path_or_from_an_upload(explorer, file, monkeypatch):
    explorer.controls["path"].value = str(file)
    assert explorer.controls["picture"].value == "own"
    assert "own.png" in explorer.code()
    from_path = explorer.canvas.value
    explorer.controls["picture"].value = "one"
    monkeypatch.setattr("ecgxai.explorers.images.uploaded_files", lambda widget: {"up.png": file.read_bytes()})
    explorer._changed(SimpleNamespace(owner=explorer.controls["upload"]))  # as the browser would tell it
    assert explorer.error is None
    assert explorer.controls["picture"].value == "own"
    assert torch.equal(explorer.shown.x, preprocess(make_scene(1).image))
    assert explorer.canvas.value != from_path, "the caption names the upload"


def test_a_file_that_is_no_picture_is_refused_in_words_and_the_last_picture_stays(explorer, tmp_path):
    before = explorer.canvas.value
    explorer.controls["picture"].value = "own"
    assert "no picture yet" in explorer.message.value
    (tmp_path / "note.png").write_text("no pixels")
    explorer.controls["path"].value = str(tmp_path / "note.png")
    assert isinstance(explorer.error, ImageError)
    assert "expected a PNG, JPEG or WebP picture" in explorer.message.value
    assert explorer.canvas.value == before
    explorer.controls["picture"].value = "two"
    assert explorer.error is None


@pytest.mark.parametrize("form", ["scene", "chosen classes", "photograph", "path", "array"])
def test_what_the_explorer_can_start_with(data_dir, file, form):
    scene = make_scene(5, ("cat", "car")) if form == "chosen classes" else make_scene(5, mark=True)
    pictures = {"photograph": next(iter(photographs())), "path": file, "array": scene.image}
    explorer = ImageExplorer(pictures.get(form, scene), "embedded")
    pixels = {"photograph": None, "path": make_scene(1).image}.get(form, scene.image)
    pixels = load_photograph(pictures["photograph"]) if pixels is None else pixels
    assert torch.equal(explorer.shown.x, preprocess(pixels))
    known = {"scene": {scene.labels[0], "mark"}, "chosen classes": {"cat", "car"}}
    assert set(explorer.shown.objects) == known.get(form, set())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gradiant"}, "no method 'gradiant'"),
        ({"families": "lrp"}, "no family 'lrp'; expected some of gradient"),
        ({"families": ("LRP",)}, "method is 'gradient', of the family 'gradient'; expected one of LRP"),
        ({"target": "zebra"}, "target is 'zebra'; expected 0 to 11"),
        ({"samples": 3}, "gradient has no parameter 'samples'; it has none"),
        ({"method": "smoothgrad", "noise": 7}, "noise is 7; expected a number from 0 to 1"),
    ],
)
def test_what_the_explorer_refuses(data_dir, options, message):
    with pytest.raises(ValueError, match=message):
        ImageExplorer(0, "embedded", **options)


def test_a_class_can_be_given_by_name_or_index_however_improbable(data_dir):
    by_name, by_index = (ImageExplorer(3, "embedded", target=target) for target in ("guitar", 9))
    assert by_name.controls["target"].value == by_index.controls["target"].value == 9
    assert "explained: guitar" in by_name.alt


# --- The figure -------------------------------------------------------------------------------------------


def test_share_of_the_positive_relevance():
    relevance, mask = np.zeros((3, 8, 8)), np.zeros((8, 8), bool)
    mask[:4] = True
    assert positive_share(relevance, mask) == 0
    relevance[0, 1, 1], relevance[1, 1, 1] = 4, -1  # the colours add up to 3 inside
    relevance[2, 6, 6], relevance[0, 7, 7] = 1, -9
    assert positive_share(relevance, mask) == 0.75
    assert positive_share(np.ones((8, 8)), mask) == mask.mean()


def test_figure_says_shares_areas_and_probabilities():
    scene = make_scene(2)
    mask = scene.objects[0].mask
    relevance = np.where(mask, 1.0, 0.0)
    figure = plot_explained(scene.image, relevance, objects={"it": mask}, classes=[("cat", 0.25)], explained="cat")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert f"100 % (area {round(100 * mask.mean())} %)" in words
    assert "25 %" in words
    assert "cat 25 %" in figure.alt


def test_peaks_are_cut_in_the_colours_and_in_nothing_else():
    image, relevance = make_scene(0).image, np.zeros((224, 224))
    relevance[:100], relevance[0, 0] = 1.0, 100.0
    mask = np.zeros((224, 224), bool)
    mask[0, 0] = True
    whole, cut = (plot_explained(image, relevance, objects={"peak": mask}, clip=clip) for clip in (100, 99))
    words = [" ".join(" ".join(text.get_text() for text in f.axes[0].texts).split()) for f in (whole, cut)]
    assert "max |R| = 100" in words[0]
    assert "percentile 99 of |R| = 1" in words[1]
    assert whole.alt == cut.alt


@pytest.mark.parametrize("name", METHODS)
def test_every_formula_can_be_drawn(name):
    from matplotlib.mathtext import MathTextParser

    assert MathTextParser("path").parse(mathtext(METHODS[name].formula)).width > 0


@pytest.mark.parametrize("options", [{"style": "bold"}, {"clip": 0}, {"clip": 101}])
def test_figure_refuses_other_options(options):
    with pytest.raises(ValueError, match="expected"):
        plot_explained(make_scene(0).image, np.zeros((224, 224)), **options)


def test_a_choice_whose_value_is_none_is_shown_and_not_an_empty_field():
    explorer = ImageExplorer(7)
    explorer.controls["seed"].value = 9
    assert explorer.controls["target"].label == "the most probable class"
    assert explorer.controls["target"].value is None
