"""Procedural textures: a random scalar field, coloured by a random palette. Fast enough to draw a hundred a second."""

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def texture(rng: np.random.Generator, size: int) -> Image.Image:
    """Return a random texture, an RGB image of ``size`` x ``size`` pixels; its pattern is one of ``FIELDS``."""
    names = list(FIELDS)
    field = FIELDS[names[rng.integers(len(names))]](rng, size)
    return Image.fromarray(palette(rng)[field])


def palette(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth colour ramp, uint8 (256, 3), through three colours of one mood: near hues, other lightness."""
    hue = rng.random() + rng.normal(0, 0.07, 3)
    hue[2] += 0.5 * (rng.random() < 0.25)  # now and then a complementary accent
    saturation = np.clip(rng.beta(1.5, 2.8) + rng.normal(0, 0.08, 3), 0, 0.8)
    value = np.clip(rng.uniform(0.25, 0.95) + rng.uniform(0.08, 0.3) * rng.permutation([-1, 0, 1]), 0.08, 1)
    stops = np.stack([hsv_to_rgb(*colour) for colour in zip(hue, saturation, value, strict=True)])
    place = np.linspace(0, 1, 256)
    ramp = [np.interp(place, (0, rng.uniform(0.35, 0.65), 1), channel) for channel in stops.T]
    return np.round(255 * np.stack(ramp, axis=1)).astype(np.uint8)


def hsv_to_rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """Return the colour as RGB from 0 to 1; the hue counts in turns and wraps around."""
    wheel = np.abs((np.array([hue, hue + 2 / 3, hue + 1 / 3]) % 1) * 6 - 3) - 1
    return value * (1 - saturation * (1 - np.clip(wheel, 0, 1)))


@cache
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from -1 to 1, float32: down, across."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return axis[:, None], axis[None, :]


def _rotated(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    down, across = _grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * down + sin * across, cos * across - sin * down


def _noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth random field, float32 from 0 to 1: ``cells`` x ``cells`` random values, interpolated."""
    coarse = Image.fromarray(rng.random((cells, cells), np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def _to_index(field: np.ndarray) -> np.ndarray:
    """Stretch a field to the 256 colours of a palette."""
    low, high = field.min(), field.max()
    return ((field - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)


def clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    """Sum of smooth random fields, each finer and weaker than the one before."""
    roughness = rng.uniform(0.35, 0.75)
    cells = rng.integers(3, 7)
    return _to_index(sum(_noise(rng, size, int(cells) * 2**octave) * roughness**octave for octave in range(4)))  # type: ignore[arg-type]


def stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Stripes, straight or bent, soft or sharp."""
    along, _ = _rotated(rng, size)
    bend = rng.choice([0, 0.15, 0.5]) * _noise(rng, size, 4)
    wave = np.sin(rng.uniform(8, 40) * (along + bend))
    return _to_index(np.clip(wave * rng.choice([1, 4]), -1, 1) + 0.4 * _noise(rng, size, 24))


def rings(rng: np.random.Generator, size: int) -> np.ndarray:
    """Rings around a point, as in cut wood."""
    down, across = _grid(size)
    y, x, squeeze = rng.uniform(-1.5, 1.5, 3)
    radius = np.sqrt((down - y) ** 2 + ((across - x) * np.float32(1 + abs(squeeze))) ** 2)
    return _to_index(np.sin(rng.uniform(12, 35) * (radius + 0.3 * _noise(rng, size, 5))) + 0.5 * _noise(rng, size, 32))


def tiles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Tiles with joints, each of its own shade; every second row may be shifted, as bricks are."""
    y, x = _rotated(rng, size) if rng.random() < 0.5 else np.broadcast_arrays(*_grid(size))
    rows = rng.uniform(3, 9)
    wide = rng.choice([1.0, 1.0, 2.0])
    y = (y + 2) * np.float32(rows)
    row = np.floor(y)
    x = (x + 2) * np.float32(rows / wide) + np.float32(0.5 * (wide > 1)) * (row % 2)
    column = np.floor(x)
    shade = rng.random((64, 64), np.float32)[row.astype(np.int16) % 64, column.astype(np.int16) % 64]
    joint = rng.uniform(0.03, 0.1)
    inside = (y - row > joint) & (x - column > joint / wide)
    return _to_index(np.where(inside, 0.35 + 0.65 * shade, 0) + 0.15 * _noise(rng, size, 48))


def checks(rng: np.random.Generator, size: int) -> np.ndarray:
    """A chequered cloth."""
    y, x = _rotated(rng, size)
    rate = rng.uniform(6, 18)
    weave = np.sign(np.sin(rate * y)) + rng.choice([1, 0.6]) * np.sign(np.sin(rate * x))
    return _to_index(weave + 0.5 * _noise(rng, size, 40))


def contours(rng: np.random.Generator, size: int) -> np.ndarray:
    """Clouds in a few flat steps: camouflage, map contours."""
    steps = int(rng.integers(3, 8))
    return (clouds(rng, size) // (256 // steps)) * np.uint8(255 // steps)


def lights(rng: np.random.Generator, size: int) -> np.ndarray:
    """Soft discs, as lights far behind the focus."""
    image = Image.fromarray((0.4 * clouds(rng, size)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(8, 30)):
        x, y, radius = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(0.02, 0.1) * size
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.integers(60, 256)))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(1, 4))))


def grass(rng: np.random.Generator, size: int) -> np.ndarray:
    """Fine short streaks in one direction over broad patches: grass, fur, gravel."""
    fine = Image.fromarray(rng.integers(0, 256, (size, size // int(rng.integers(2, 8))), np.uint8))
    fine = fine.resize((size, size), Image.Resampling.BILINEAR)
    if rng.random() < 0.6:
        fine = fine.transpose(Image.Transpose.ROTATE_90)
    weight = np.float32(rng.uniform(0.3, 0.7))
    return _to_index(np.asarray(fine) * (weight / 255) + _noise(rng, size, 5))


def landscape(rng: np.random.Generator, size: int) -> np.ndarray:
    """A sky that brightens towards a wavy horizon, and ground below it."""
    down, _ = _grid(size)
    ridge = _noise(rng, size, 6)[:1] * np.float32(0.5) + np.float32(rng.uniform(-0.4, 0.3))
    ground = down > ridge
    sky = (down + 1) * 0.25 + 0.15 * _noise(rng, size, 6)
    return _to_index(np.where(ground, 0.6 + 0.4 * _noise(rng, size, 20) + 0.2 * down, sky))


FIELDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "clouds": clouds,
    "stripes": stripes,
    "rings": rings,
    "tiles": tiles,
    "checks": checks,
    "contours": contours,
    "lights": lights,
    "grass": grass,
    "landscape": landscape,
}
