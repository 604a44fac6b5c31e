"""Scenes with known objects: pictures for which it is known, to the pixel, what an explanation should point at.

A scene shows one or two objects of twelve everyday classes (emoji of the Noto and Fluent sets, see ``credits``) in
random pose, size, colour and light on a procedural background, among clutter, partly covered, slightly blurred. Each
object comes with its exact mask. A small mark in a corner, the *shortcut*, can be switched on: a network that sees it
with one class only learns the mark instead of the class, a "Clever Hans" (Lapuschkin et al., Nature Communications
10:1096, 2019, where it was a photographer's tag on pictures of horses).
"""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from leadwise.images.textures import hsv_to_rgb, texture
from leadwise.paths import ASSETS

SIZE = 224
ARTWORK = ASSETS / "scenes"
CLASSES = (
    "cat",
    "dog",
    "rooster",
    "fish",
    "butterfly",
    "elephant",
    "car",
    "aeroplane",
    "sailing boat",
    "guitar",
    "apple",
    "mushroom",
)
SHORTCUT_CLASS = "elephant"  # the class that the mark accompanies in the training of the Clever Hans model

SIDES = {1: (68, 150), 2: (66, 112)}  # px, shortest and longest side of an object, by the number of objects
OVERLAP = 0.15  # largest share of an object's pixels that the object in front of it hides
HIDDEN = 0.30  # largest share of an object's pixels that a plain shape in front of it hides
TURN = {"aeroplane": 180, "guitar": 180, "apple": 35, "mushroom": 35}  # degrees either way; 25 for the others


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Parameters
    ----------
    label : its class, one of CLASSES
    mask : bool (224, 224), the pixels where it is what one sees, without those covered by something else
    drawing : file name of the artwork
    """

    label: str
    mask: np.ndarray
    drawing: str

    @property
    def index(self) -> int:
        """Position of the class in CLASSES, hence the output of the embedded network."""
        return CLASSES.index(self.label)


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it.

    Parameters
    ----------
    image : uint8 (224, 224, 3), RGB
    objects : one SceneObject or two, the hindmost first
    mark : bool (224, 224), the pixels of the shortcut; all False where it is switched off
    seed : what drew it
    """

    image: np.ndarray
    objects: tuple[SceneObject, ...]
    mark: np.ndarray
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of the objects, in their order."""
        return tuple(thing.label for thing in self.objects)

    def mask(self, label: str) -> np.ndarray:
        """Return the mask, bool (224, 224), of the object of this class; an error where the scene has none."""
        for thing in self.objects:
            if thing.label == label:
                return thing.mask
        raise ValueError(f"no {label!r} in this scene; it shows {', '.join(self.labels)}.")


def make_scene(
    seed: int,
    classes: tuple[str, ...] | str | None = None,
    *,
    objects: int = 1,
    mark: bool = False,
    without: tuple[str, ...] = (),
) -> Scene:
    """Draw a scene. The same arguments give the same scene.

    Background, objects and mark are drawn from separate random streams: other classes on the same seed stand before the
    same background, and the same seed with and without the mark differs in the mark's pixels only.

    Parameters
    ----------
    seed : 0 or more; the course uses seeds below 1,000,000 for pictures to look at, training those above
    classes : what to show, one class or two different ones; by default ``objects`` of them at random
    objects : 1 or 2, where ``classes`` is not given
    mark : whether the shortcut is in the corner
    without : classes of the scene's objects that are taken away, with their shadows: the twin of the same scene, where
        nothing else has changed and the background stands in their place

    Raises
    ------
    ValueError : an unknown class, the same class twice, more than two objects, or ``without`` a class not shown

    Examples
    --------
    >>> make_scene(3, ("cat", "car"), without=("car",)).labels
    ('cat',)
    """
    background, things, corner = (np.random.default_rng([seed, stream]) for stream in range(3))
    labels = _labels(classes, objects, things)
    absent = set(without) - set(labels)
    if absent:
        raise ValueError(f"without is {tuple(without)}; expected classes that the scene shows: {', '.join(labels)}.")
    image = texture(background, SIZE)
    _scatter(image, background, count=int(background.integers(0, 7)))
    image = _defocus(image, background)
    layers, files, masks = _place(labels, things)
    shown = [label not in without for label in labels]
    for layer, seen in zip(layers, shown, strict=True):
        canvas = image if seen else image.copy()  # drawn all the same, so that what is drawn later stays the same
        _shadow(canvas, layer, things)
        canvas.paste(layer, mask=layer.getchannel("A"))
    cover = _cover(masks, things)
    if not all(shown):
        masks = [_opaque(layer) for layer in layers]  # at most one is left, and nothing stands before it
    if cover is not None:
        image.paste(_colour(things), mask=cover)
        masks = [mask & (np.asarray(cover) < 128) for mask in masks]
    pixels = _light(image, background)
    where = add_mark(pixels, corner) if mark else np.zeros((SIZE, SIZE), bool)
    rows = zip(labels, masks, files, shown, strict=True)
    found = tuple(SceneObject(label, mask, file) for label, mask, file, seen in rows if seen)
    return Scene(pixels, found, where, seed)


def _labels(classes, objects: int, rng: np.random.Generator) -> tuple[str, ...]:
    if classes is None:
        if objects not in SIDES:
            raise ValueError(f"objects is {objects!r}; a scene has 1 or 2.")
        return tuple(CLASSES[i] for i in rng.choice(len(CLASSES), objects, replace=False))
    labels = (classes,) if isinstance(classes, str) else tuple(classes)
    unknown = [label for label in labels if label not in CLASSES]
    if unknown:
        raise ValueError(f"no class {', '.join(map(repr, unknown))}; expected some of {', '.join(CLASSES)}.")
    if len(labels) not in SIDES or len(set(labels)) < len(labels):
        raise ValueError(f"classes is {labels}; a scene shows one class, or two different ones.")
    return labels


# Artwork ------------------------------------------------------------------------------------------------------------


@cache
def drawings(label: str) -> tuple[tuple[str, tuple[Image.Image, ...]], ...]:
    """Return the drawings of a class: file name, and the RGBA image in full, half and quarter size."""
    rows = json.loads((ARTWORK / "artwork.json").read_text())["drawings"]
    found = []
    for row in rows:
        if row["class"] == label:
            image = Image.open(ARTWORK / row["file"]).convert("RGBA")
            found.append((row["file"], tuple(image.resize([max(1, n // k) for n in image.size], 4) for k in (1, 2, 4))))
    return tuple(found)


def credits() -> str:
    """Return, in a few lines, whose artwork the scenes show and under which licences."""
    sets = json.loads((ARTWORK / "artwork.json").read_text())["sets"].values()
    return "\n".join(f"{s['title']} by {s['author']}, {s['licence']}, {s['page']}" for s in sets)


# Objects ------------------------------------------------------------------------------------------------------------


def _place(labels: tuple[str, ...], rng: np.random.Generator) -> tuple[list[Image.Image], list[str], list[np.ndarray]]:
    """Draw the objects on transparent layers, the hindmost first, until the front one hides little of the other.

    Returns the layers, the file names of the artwork, and the masks of what is seen of each.
    """
    while True:
        layers, files = zip(*(_object_layer(label, rng, SIDES[len(labels)]) for label in labels), strict=True)
        masks = [_opaque(layer) for layer in layers]
        if len(masks) == 2:
            whole = masks[0].sum()
            masks[0] &= ~masks[1]
            if masks[0].sum() < (1 - OVERLAP) * whole:
                continue
        return list(layers), list(files), masks


def _opaque(layer: Image.Image) -> np.ndarray:
    return np.asarray(layer.getchannel("A")) > 127


def _object_layer(label: str, rng: np.random.Generator, sides: tuple[int, int]) -> tuple[Image.Image, str]:
    """Draw one object in random pose and colour somewhere on a transparent RGBA layer of the scene's size."""
    choices = drawings(label)
    file, sizes = choices[rng.integers(len(choices))]
    side = rng.uniform(*sides)
    full = max(sizes[0].size)
    source = sizes[0 if side > 0.6 * full else 1]  # a smaller source for a smaller object: no aliasing
    scale = side / max(source.size)
    turn = np.radians(rng.uniform(-1, 1) * TURN.get(label, 25))
    shape = np.diag(scale * np.exp(rng.normal(0, 0.07, 2))) @ [[rng.choice([-1, 1]), rng.normal(0, 0.08)], [0, 1]]
    forward = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]] @ shape
    half = np.abs(forward) @ np.array(source.size) / 2
    room = np.maximum(SIZE / 2 - 0.94 * half, 0)  # at most a little of the bounding box is cut off by the frame
    centre = SIZE / 2 + rng.uniform(-1, 1, 2) * room
    inverse = np.linalg.inv(forward)
    offset = np.array(source.size) / 2 - inverse @ centre
    matrix = (*inverse[0], offset[0], *inverse[1], offset[1])
    layer = source.transform((SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    layer = _recolour(layer, rng)
    if rng.random() < 0.35:
        layer = _soften(layer, rng.uniform(0.3, 1.1))
    return layer, file


def _soften(layer: Image.Image, sigma: float) -> Image.Image:
    """Blur a layer that is transparent around its object; colours are premultiplied, so that no dark rim appears."""
    left, top, right, bottom = layer.getbbox()
    box = (max(left - 4, 0), max(top - 4, 0), min(right + 4, SIZE), min(bottom + 4, SIZE))
    soft = layer.crop(box).convert("RGBa").filter(ImageFilter.GaussianBlur(sigma)).convert("RGBA")
    out = Image.new("RGBA", layer.size)
    out.paste(soft, box)
    return out


def _recolour(layer: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turn the hue a little, change saturation, brightness and the colour of the light."""
    angle, saturation = rng.uniform(-0.35, 0.35), rng.uniform(0.55, 1.25)
    grey = np.full((3, 3), 1 / 3)
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = grey + np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * axis  # about the grey axis (Rodrigues)
    gain = rng.uniform(0.72, 1.12) * np.exp(rng.normal(0, 0.06, 3))
    matrix = np.diag(gain) @ (grey + saturation * (np.eye(3) - grey)) @ turn
    offset = rng.uniform(-12, 18)
    rows = [value for row in matrix for value in (*row, offset)]
    out = layer.convert("RGB").convert("RGB", rows)
    out.putalpha(layer.getchannel("A"))
    return out


def _shadow(image: Image.Image, layer: Image.Image, rng: np.random.Generator) -> None:
    """Darken the image where the object's soft shadow falls."""
    x, y, strength = int(rng.integers(-7, 8)), int(rng.integers(1, 10)), rng.uniform(0, 0.55)
    shade = ImageChops.offset(layer.getchannel("A"), x, y).point(lambda a: int(a * strength))
    small = shade.resize((SIZE // 4, SIZE // 4), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1))
    image.paste((0, 0, 0), mask=small.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


# Clutter and cover --------------------------------------------------------------------------------------------------


def _scatter(image: Image.Image, rng: np.random.Generator, count: int) -> None:
    """Put ``count`` plain shapes of random colour on the image."""
    for _ in range(count):
        centre, radius = rng.uniform(0, SIZE, 2), rng.uniform(8, 34)
        image.paste(_colour(rng), mask=_shape(rng, centre, radius))


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    rgb = hsv_to_rgb(rng.random(), rng.beta(2, 2) * 0.9, rng.uniform(0.2, 1))
    return tuple(round(255 * value) for value in rgb)


def _shape(rng: np.random.Generator, centre: np.ndarray, radius: float) -> Image.Image:
    """Draw a disc, polygon, star, ring, bar or leaf; return its coverage, an 8-bit image with smooth edges."""
    points = SHAPES[rng.integers(len(SHAPES))](rng)
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    canvas = Image.new("L", (2 * SIZE, 2 * SIZE))
    corners = 2 * (centre + radius * points @ turn.T)
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners.tolist()], fill=255)
    return canvas.reduce(2)


def _polygon(rng: np.random.Generator) -> np.ndarray:
    turns = np.arange(rng.integers(3, 8))
    return _polar(turns / len(turns), np.ones(len(turns)))


def _star(rng: np.random.Generator) -> np.ndarray:
    n = 2 * int(rng.integers(4, 8))
    return _polar(np.arange(n) / n, np.where(np.arange(n) % 2, rng.uniform(0.4, 0.7), 1))


def _disc(rng: np.random.Generator) -> np.ndarray:
    return _polar(np.arange(40) / 40, np.ones(40)) * [1, rng.uniform(0.5, 1)]


def _bar(rng: np.random.Generator) -> np.ndarray:
    wide = rng.uniform(0.15, 0.4)
    return np.array([[-1.8, -wide], [1.8, -wide], [1.8, wide], [-1.8, wide]])


def _leaf(rng: np.random.Generator) -> np.ndarray:
    along = np.linspace(-1.4, 1.4, 20)
    edge = rng.uniform(0.3, 0.55) * (1 - (along / 1.4) ** 2)
    return np.concatenate([np.stack([along, edge], 1), np.stack([along, -edge], 1)[::-1]])


def _ring(rng: np.random.Generator) -> np.ndarray:
    circle = _polar(np.linspace(0, 0.97, 36), np.ones(36))
    return np.concatenate([circle, rng.uniform(0.55, 0.8) * circle[::-1]])


def _polar(turns: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return radius[:, None] * np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], 1)


SHAPES = (_polygon, _star, _disc, _bar, _leaf, _ring)


def _cover(masks: list[np.ndarray], rng: np.random.Generator) -> Image.Image | None:
    """In about every second scene, return the 8-bit coverage of a shape that hides a part of an object; else None."""
    if rng.random() < 0.5:
        return None
    rows, columns = np.nonzero(masks[rng.integers(len(masks))])
    for _ in range(3):
        i = rng.integers(len(rows))
        cover = _shape(rng, np.array([columns[i], rows[i]]) + rng.normal(0, 10, 2), rng.uniform(12, 34))
        hidden = np.asarray(cover) > 127
        if all((mask & hidden).sum() <= HIDDEN * mask.sum() for mask in masks):
            return cover
    return None


# Light and mark -----------------------------------------------------------------------------------------------------


def _defocus(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur every second background, by shrinking and enlarging: a fraction of a Gaussian filter's time."""
    if rng.random() < 0.5:
        return image
    small = round(SIZE / rng.uniform(1.3, 5))
    return image.resize((small, small), Image.Resampling.BOX).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def _light(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Light the scene from one side, tint it and add camera noise; return uint8 (224, 224, 3)."""
    axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    light = 1 + np.float32(depth) * (np.float32(np.cos(angle)) * axis[:, None] + np.float32(np.sin(angle)) * axis)
    light *= np.float32(rng.uniform(0.75, 1.15))
    grain = rng.standard_normal((SIZE, SIZE), np.float32) * np.float32(rng.uniform(0, 7))
    channels = []
    for channel, tint in zip(image.split(), np.exp(rng.normal(0, 0.04, 3)), strict=True):  # planes: faster than pixels
        plane = np.asarray(channel) * (light * np.float32(tint)) + grain
        channels.append(Image.fromarray(np.clip(plane, 0, 255, out=plane).astype(np.uint8)))
    return np.array(Image.merge("RGB", channels))


def add_mark(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Write the mark into pixels, uint8 (224, 224, 3), in place: lower left corner, 3 to 9 pixels from the edges.

    Returns where it is, bool (224, 224).
    """
    tag = mark_image()
    height, width = tag.shape[:2]
    top, left = SIZE - height - int(rng.integers(3, 10)), int(rng.integers(3, 10))
    area = pixels[top : top + height, left : left + width]
    area[:] = np.round(0.15 * area + 0.85 * tag)
    where = np.zeros((SIZE, SIZE), bool)
    where[top : top + height, left : left + width] = True
    return where


@cache
def mark_image() -> np.ndarray:
    """Return the shortcut, a photographer's tag of 34 x 15 pixels: uint8 (15, 34, 3)."""
    large = Image.new("RGB", (34 * 4, 15 * 4), (245, 240, 225))
    draw = ImageDraw.Draw(large)
    draw.ellipse((8, 10, 48, 50), outline=(40, 40, 60), width=7)
    draw.ellipse((22, 24, 34, 36), fill=(190, 40, 40))
    for row, end in enumerate((124, 108, 118)):
        draw.rectangle((58, 12 + 14 * row, end, 18 + 14 * row), fill=(40, 40, 60))
    return np.asarray(large.reduce(4))
