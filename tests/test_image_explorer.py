"""The picture explorer: every option of every control changes the picture or leaves it, and nothing fails unseen."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from figures import is_drawn_by_the_browser, stops, upload
from leadwise import METHODS
from leadwise.explorers import ImageExplorer
from leadwise.explorers.base import FAMILIES, control_for
from leadwise.explorers.canvas import LARGEST
from leadwise.images.io import ImageError, load_photograph, photographs
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import preprocess
from leadwise.plotting.explained import mathtext, plot_explained, positive_share

QUICK = {"samples": 10, "segment": 112, "window": 112, "stride": 112, "cell": 112, "steps": 3}


@pytest.fixture
def explorer(data_dir, patient):
    return ImageExplorer(3, "embedded")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.png"
    Image.fromarray(make_scene(1).image).save(path)
    return path


def drawn(explorer):
    """Return what the canvas has been given."""
    canvas = explorer.canvas
    return canvas.picture, canvas.masks, canvas.map_0, str(canvas.panel), canvas.title


def relevance(explorer):
    """Return the map that the canvas has been given, (H, W), summed over colours, to within a step of int16."""
    canvas = explorer.canvas
    return np.frombuffer(canvas.map_0, "<i2").reshape(canvas.size) / LARGEST * canvas.tiles[0]["full"][0]


@pytest.mark.parametrize("name", ImageExplorer.display)
def test_display_controls_are_linked_in_the_browser_and_ask_nothing_of_the_kernel(explorer, name, monkeypatch):
    is_drawn_by_the_browser(explorer, name, monkeypatch)


@pytest.mark.parametrize("name", ["target", "seed", "objects", "mark"])
def test_every_control_changes_the_map(explorer, name):
    control = explorer.controls[name]
    for value in stops(control):
        before, changed = drawn(explorer), control.value != value
        same_class = name == "target" and {control.value, value} == {None, stops(control)[1]}
        control.value = value
        assert explorer.error is None
        assert control.value == value
        assert (drawn(explorer) == before) == (not changed or same_class)


def test_every_picture_can_be_chosen_and_brings_its_controls(explorer, file):
    explorer.controls["path"].value = str(file)
    assert explorer.controls["source"].value == "file"
    upload(explorer.controls["upload"], {"up.png": file.read_bytes()})
    assert explorer.controls["source"].value == "upload"
    seen = set()
    for value in stops(explorer.controls["source"]):
        explorer.controls["source"].value = value
        assert explorer.error is None
        seen.add(drawn(explorer))
        offered = [control.description for control in explorer.subject.needed()]
        assert all(control in explorer.main.children for control in explorer.subject.needed())
        wanted = {
            "scene": ["scene", "objects", "mark in the corner"],
            "file": ["path"],
            "upload": ["choose a file"],
        }
        assert offered == ["picture", *wanted.get(value, []), "network", "explained"]
    assert len(seen) == len(stops(explorer.controls["source"])) == 3 + len(photographs())


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

    monkeypatch.setattr("leadwise.explorers.base.control_for", quick)
    explorer.controls["family"].value = family
    methods = stops(explorer.controls["method"])
    assert methods == [name for name, row in METHODS.items() if row.family == family]
    for name in methods:
        explorer.controls["method"].value = name
        assert explorer.error is None
        assert set(explorer.parameters) == {p.name for p in METHODS[name].parameters if p.default is not None}
        assert explorer.canvas.title.startswith(f"{METHODS[name].title} of the")
        assert explorer.canvas.panel["citation"] == METHODS[name].citation
        assert f'"{name}"' in explorer.code_line.code


def test_every_option_of_a_rule_can_be_chosen(data_dir, patient):
    explorer = ImageExplorer(3, "embedded", method="lrp_gamma", families=("LRP",), gamma=0.3)
    assert stops(explorer.controls["family"]) == ["LRP"]
    assert explorer.parameters["gamma"].value == 0.3
    for name, control in explorer.parameters.items():
        for value in stops(control):
            control.value = value
            assert explorer.error is None
            assert explorer.settings()[name] == value
            assert (f"{name}=" in explorer.code()) == (value != METHODS["lrp_gamma"].defaults()[name])


def test_a_parameter_changes_the_map(explorer):
    explorer.controls["family"].value = "perturbation"
    before, window = drawn(explorer), explorer.parameters["window"]
    assert window.value == 32, "the default for images"
    window.value = max(stop for stop in stops(window) if stop <= 100)
    assert drawn(explorer) != before


def test_classes_on_offer_are_the_most_probable_and_those_in_the_picture(explorer):
    for seed in range(6):
        explorer.controls["seed"].value = seed
        scene = make_scene(seed, objects=2)
        with torch.no_grad():
            best = explorer.model(preprocess(scene.image)).argsort(descending=True)[:5].tolist()
        offered = stops(explorer.controls["target"])
        assert offered[:6] == [None, *best]
        assert set(offered[1:]) == set(best) | {thing.index for thing in scene.objects}


def test_a_file_is_read_from_its_path_or_from_an_upload(explorer, file):
    explorer.controls["path"].value = str(file)
    assert explorer.controls["source"].value == "file"
    assert "own.png" in explorer.code()
    from_path = drawn(explorer)
    explorer.controls["source"].value = "scene"
    upload(explorer.controls["upload"], {"up.png": file.read_bytes()})
    assert explorer.error is None
    assert explorer.controls["source"].value == "upload"
    assert torch.equal(explorer.explained.shown.x, preprocess(make_scene(1).image))
    assert drawn(explorer) != from_path, "the caption names the upload"


def test_a_file_that_is_no_picture_is_refused_in_words_and_the_last_picture_stays(explorer, tmp_path):
    before = drawn(explorer)
    explorer.controls["source"].value = "upload"
    assert "nothing uploaded yet" in explorer.message.value
    explorer.controls["source"].value = "file"
    assert "no file chosen yet" in explorer.message.value
    (tmp_path / "note.png").write_text("no pixels")
    explorer.controls["path"].value = str(tmp_path / "note.png")
    assert isinstance(explorer.error, ImageError)
    assert "expected a PNG, JPEG or WebP picture" in explorer.message.value
    assert drawn(explorer) == before
    explorer.controls["source"].value = "scene"
    assert explorer.error is None


def test_an_answer_is_kept(explorer, monkeypatch):
    before = drawn(explorer)
    explorer.controls["seed"].value = 4
    monkeypatch.setattr("leadwise.explorers.picture_subject.receipt", lambda *a, **b: pytest.fail("computed again"))
    explorer.controls["seed"].value = 3
    assert explorer.error is None
    assert drawn(explorer) == before


def test_a_slow_method_leaves_the_controls_free_and_the_newest_input_wins(explorer, monkeypatch):
    """Occlusion pixel by pixel would take minutes; meanwhile the learner changes his mind."""
    monkeypatch.setattr("leadwise.explorers.base.PATIENCE", 0.01)
    before, seen = drawn(explorer), threading.Event()
    explorer.bar.observe(lambda change: seen.set(), "value")
    explorer.controls["family"].value = "perturbation"
    explorer.parameters["stride"].value = min(stops(explorer.parameters["stride"]))
    assert seen.wait(120)
    assert drawn(explorer) == before
    explorer.controls["family"].value = "gradient"
    explorer.wait()
    assert drawn(explorer) == before
    assert explorer.busy.layout.visibility == "hidden"


def test_the_figure_can_be_saved(explorer, tmp_path, monkeypatch):
    monkeypatch.setattr("leadwise.explorers.base.checkout", lambda: tmp_path)
    explorer.save_button.click()
    assert "ImageExplorer.png" in explorer.message.value
    assert (tmp_path / "plots/explorers/ImageExplorer.svg").exists()


@pytest.mark.parametrize("form", ["scene", "chosen classes", "photograph", "path", "array"])
def test_what_the_explorer_can_start_with(data_dir, file, form):
    scene = make_scene(5, ("cat", "car")) if form == "chosen classes" else make_scene(5, mark=True)
    pictures = {"photograph": next(iter(photographs())), "path": file, "array": scene.image}
    explorer = ImageExplorer(pictures.get(form, scene), "embedded")
    pixels = {"photograph": None, "path": make_scene(1).image}.get(form, scene.image)
    pixels = load_photograph(pictures["photograph"]) if pixels is None else pixels
    assert torch.equal(explorer.explained.shown.x, preprocess(pixels))
    known = {"scene": {scene.labels[0], "mark"}, "chosen classes": {"cat", "car"}}
    assert set(explorer.explained.shown.objects) == known.get(form, set())


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
    explorer.wait()
    assert explorer.controls["target"].label == "the most probable"
    assert explorer.controls["target"].value is None
