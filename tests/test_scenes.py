"""Scenes: what they show is what they say, to the pixel; the artwork is credited and licensed."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from leadwise.images import scenes, textures
from leadwise.images.scenes import ARTWORK, CLASSES, SIZE, Scene, add_mark, make_scene, mark_image

SEEDS = range(0, 60)


@pytest.fixture(scope="module")
def singles() -> list[Scene]:
    return [make_scene(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def pairs() -> list[Scene]:
    return [make_scene(seed, objects=2) for seed in SEEDS]


def test_a_scene_is_a_colour_picture_with_one_mask_per_object(singles, pairs):
    for count, found in ((1, singles), (2, pairs)):
        for scene in found:
            assert scene.image.shape == (224, 224, 3)
            assert scene.image.dtype == np.uint8
            assert len(scene.objects) == count == len(set(scene.labels))
            for thing in scene.objects:
                assert thing.mask.shape == (224, 224)
                assert thing.mask.dtype == bool
                assert CLASSES[thing.index] == thing.label
                assert np.array_equal(scene.mask(thing.label), thing.mask)


def test_the_same_seed_draws_the_same_scene_and_another_seed_another(singles):
    again = make_scene(7)
    assert np.array_equal(again.image, singles[7].image)
    assert again.labels == singles[7].labels
    assert np.array_equal(again.objects[0].mask, singles[7].objects[0].mask)
    assert not np.array_equal(singles[7].image, singles[8].image)


def test_drawing_leaves_the_global_random_state_alone():
    np.random.seed(3)  # noqa: NPY002  the state that others use is what this is about
    expected = np.random.random(2)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    make_scene(1, objects=2, mark=True)
    assert np.array_equal(np.random.random(2), expected)  # noqa: NPY002


def test_objects_of_a_pair_do_not_share_pixels(pairs):
    for scene in pairs:
        first, second = (thing.mask for thing in scene.objects)
        assert not (first & second).any()
        assert min(first.sum(), second.sum()) > 300  # enough of both is seen to tell what they are


def test_objects_cover_a_modest_and_varied_share_of_the_picture(singles):
    """Explanations are asked for four times an object's share of the area: the share has to leave room for that."""
    areas = np.array([scene.objects[0].mask.mean() for scene in singles])
    assert 0.05 < areas.mean() < 0.2
    assert areas.min() > 0.01
    assert areas.max() > 2 * np.median(areas) > 4 * areas.min() > 0


def test_pictures_differ_in_light_and_colour(singles):
    brightness = [scene.image.mean() for scene in singles]
    assert np.ptp(brightness) > 90
    dominant = {int(scene.image.reshape(-1, 3).mean(0).argmax()) for scene in singles}
    assert dominant == {0, 1, 2}


def test_chosen_classes_are_shown_in_their_order():
    assert make_scene(4, "fish").labels == ("fish",)
    assert make_scene(4, ("dog", "cat")).labels == ("dog", "cat")
    for label in CLASSES:
        assert make_scene(11, label).mask(label).sum() > 300


def test_other_classes_on_one_seed_stand_before_the_same_background():
    for seed in (1, 2, 3):
        one, other = make_scene(seed, "apple").image, make_scene(seed, "car").image
        assert (one == other).all(axis=2).mean() > 0.3


def plain_world(monkeypatch, colour):
    """Artwork becomes a disc of one colour on plain grey ground: masks can be read off the picture."""
    disc = Image.new("RGBA", (160, 160), (*colour, 0))
    ImageDraw.Draw(disc).ellipse((0, 0, 159, 159), fill=(*colour, 255))
    monkeypatch.setattr(scenes, "drawings", lambda label: (("disc.png", (disc, disc.reduce(2), disc.reduce(4))),))
    monkeypatch.setattr(scenes, "texture", lambda rng, size: Image.new("RGB", (size, size), (128, 128, 128)))
    monkeypatch.setattr(scenes, "_light", lambda image, rng: np.array(image))
    for name, plain in {
        "_scatter": lambda image, rng, count: None,
        "_shadow": lambda image, layer, rng: None,
        "_recolour": lambda layer, rng: layer,
        "_colour": lambda rng: (128, 128, 128),
    }.items():
        monkeypatch.setattr(scenes, name, plain)


@pytest.mark.parametrize("objects", [1, 2])
def test_masks_are_exact_to_half_a_pixel(monkeypatch, objects):
    """More than half of the object's colour in a pixel: in the mask. What covers the object, is not."""
    plain_world(monkeypatch, (255, 128, 128))
    with_cover = [make_scene(seed, objects=objects) for seed in range(12)]
    monkeypatch.setattr(scenes, "_cover", lambda masks, rng: None)
    without = [make_scene(seed, objects=objects) for seed in range(12)]
    for scene in with_cover + without:
        seen = scene.image[..., 0] > (128 + 255) / 2
        mask = np.any([thing.mask for thing in scene.objects], axis=0)
        assert (seen != mask).sum() <= 0.01 * mask.sum(), scene.seed
    pairs = zip(with_cover, without, strict=True)
    left = [
        a.mask.sum() / b.mask.sum() for one, other in pairs for a, b in zip(one.objects, other.objects, strict=True)
    ]
    assert 0.69 < min(left) < 0.9  # something was hidden, and never more than is promised
    assert max(left) == 1


def test_the_mark_changes_its_own_pixels_and_no_others():
    tag = mark_image()
    for seed in (0, 5, 9):
        without, marked = make_scene(seed, objects=2), make_scene(seed, objects=2, mark=True)
        assert not without.mark.any()
        assert marked.mark.sum() == tag.shape[0] * tag.shape[1]
        assert marked.mark.mean() < 0.015
        changed = (without.image != marked.image).any(axis=2)
        assert changed.any()
        assert not (changed & ~marked.mark).any()
        rows, columns = np.nonzero(marked.mark)
        assert rows.min() > 0.85 * SIZE
        assert columns.max() < 0.25 * SIZE


def test_the_mark_is_written_as_easily_into_any_picture():
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    where = add_mark(picture, np.random.default_rng(0))
    assert np.array_equal(picture.any(axis=2), where)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": "unicorn"}, "no class 'unicorn'; expected some of cat"),
        ({"classes": ("cat", "cat")}, "one class, or two different ones"),
        ({"classes": ("cat", "dog", "fish")}, "one class, or two different ones"),
        ({"objects": 3}, "a scene has 1 or 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_scene(0, **arguments)


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_twin_without_an_object_changes_where_the_object_and_its_shadow_were_and_nowhere_else(seed):
    scene = make_scene(seed, objects=2)
    for thing in scene.objects:
        twin = make_scene(seed, objects=2, without=(thing.label,))
        assert twin.labels == tuple(label for label in scene.labels if label != thing.label)
        changed = (scene.image != twin.image).any(2)
        assert changed[thing.mask].mean() > 0.97
        (other,) = twin.objects
        near = Image.fromarray(thing.mask).filter(ImageFilter.MaxFilter(65))  # shadows fall within 20 pixels
        assert not (changed & ~np.asarray(near)).any()
        hidden = other.mask & ~scene.mask(other.label)  # what the object had covered of the other one
        assert not (hidden & ~thing.mask).any()


def test_a_scene_without_any_object_is_the_background_of_both():
    empty = make_scene(5, ("cat", "car"), without=("cat", "car"))
    assert empty.objects == ()
    for label in ("cat", "car"):
        one = make_scene(5, ("cat", "car"), without=("cat" if label == "car" else "car",))
        changed = (one.image != empty.image).any(2)
        assert changed[one.mask(label)].mean() > 0.97
    with pytest.raises(ValueError, match="expected classes that the scene shows: cat, car"):
        make_scene(5, ("cat", "car"), without=("dog",))


def test_the_mask_of_a_class_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="no 'dog' in this scene; it shows cat"):
        make_scene(0, "cat").mask("dog")


@pytest.mark.parametrize("name", textures.FIELDS)
def test_every_texture_uses_its_palette(name):
    rng = np.random.default_rng(2)
    for _ in range(5):
        field = textures.FIELDS[name](rng, 96)
        assert field.shape == (96, 96)
        assert field.dtype == np.uint8
        assert np.ptp(field) > 60


def test_hues_are_those_of_the_colour_wheel():
    """Values of the standard library's colorsys, from which the vectorised version must not differ."""
    import colorsys

    for hue, saturation, value in np.random.default_rng(0).random((50, 3)):
        expected = colorsys.hsv_to_rgb(hue, saturation, value)
        assert np.allclose(textures.hsv_to_rgb(hue, saturation, value), expected)
    assert np.allclose(textures.hsv_to_rgb(-0.25, 1, 1), colorsys.hsv_to_rgb(0.75, 1, 1))


def test_every_drawing_is_there_credited_and_licensed():
    table = json.loads((ARTWORK / "artwork.json").read_text())
    files = {row["file"] for row in table["drawings"]}
    assert files == {path.name for path in ARTWORK.glob("*.png")}
    assert {row["class"] for row in table["drawings"]} == set(CLASSES)
    for row in table["drawings"]:
        assert table["sets"][row["set"]]["licence"] in ("Apache-2.0", "MIT")
        with Image.open(ARTWORK / row["file"]) as image:
            assert image.mode == "RGBA"
            assert max(image.size) == 160
            assert image.getchannel("A").getextrema() == (0, 255)
    assert "Version 2.0, January 2004" in (ARTWORK / "LICENSE-noto.txt").read_text()
    assert "Copyright (c) Microsoft Corporation" in (ARTWORK / "LICENSE-fluent.txt").read_text()
    assert "Noto Emoji by Google Inc., Apache-2.0" in scenes.credits()
    assert all(len(scenes.drawings(label)) >= 2 for label in CLASSES)
