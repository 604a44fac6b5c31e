"""Read photographs: from a path or from the bytes of an upload, whatever their mode, to uint8 red, green, blue.

Pillow decodes. What it leaves to its caller is done here: the camera's orientation, transparency, 16 bits a
channel, pictures too large for a small machine, and errors that a learner can act on.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from leadwise.paths import data_dir

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_DECODED = 256_000_000  # bytes that decoding may take: as much as a machine with 2 GB can spare
# Bytes a pixel while a picture is decoded: Pillow's four, a progressive JPEG's coefficients, WebP's canvases.
DECODING = {"PNG": 4, "JPEG": 4, "progressive": 6, "WEBP": 12}
ROW = 16  # bytes a row, beside its pixels
TILE = 1024  # px; a large picture is converted and reduced tile by tile
MAX_BYTES = 100_000_000
LONGEST = 1024  # px

# How other files begin, and what to call them.
SIGNATURES = {
    b"GIF8": "a GIF",
    b"BM": "a BMP picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"%PDF": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"<!DO": "a web page",
    b"<html": "a web page",
    b"\x89HDF": "an HDF5 file",
}
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif")  # after "ftyp", from byte 8

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The camera's orientation (EXIF) -> what turns the picture upright."""

# Where installed packages keep the photographs that `python -m leadwise download images` also fetches.
INSTALLED = {"sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data", "skimage": "data"}


class ImageError(ValueError):
    """A file cannot be read as a picture; the message says what came, what was expected and what to do."""


def load_image(
    source: str | Path | bytes, *, longest: int | None = LONGEST, background: Sequence[int] = (255, 255, 255)
) -> np.ndarray:
    """Read a PNG, JPEG or WebP picture.

    The camera's orientation (EXIF) is applied. Greyscale and palette become colour, 16 bits a channel become 8, the
    first picture of an animation is taken.

    Parameters
    ----------
    source : path of the file, or its content (bytes, bytearray or memoryview, as an upload widget gives them)
    longest : a larger picture is scaled down until its longer side has so many pixels; None keeps its size
    background : red, green, blue, 0 to 255, of what shows through transparent places

    Returns
    -------
    ndarray : uint8 (H, W, 3)

    Raises
    ------
    ImageError : no such file, a folder, an empty, truncated or undecodable file, another format, or one that would
        take more than MAX_DECODED bytes to decode
    """
    if longest is not None and longest < 1:
        raise ValueError(f"longest is {longest}; expected at least 1 pixel, or None to keep the size.")
    content, name = _content(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large pictures, where our own limit is lower, and damaged EXIF data
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return _decode(image, name, longest, background)
        except UnidentifiedImageError as error:
            raise ImageError(f"{name} is {_what(content)}; expected a PNG, JPEG or WebP picture.") from error
        except Image.DecompressionBombError as error:
            raise ImageError(f"{name} is far too large ({error}). Scale it down before.") from error
        except ImageError:
            raise
        except Exception as error:  # decoders raise anything on damaged data
            reason = str(error)[:200] or type(error).__name__
            raise ImageError(f"{name} is damaged or incomplete ({reason}). Save or download it again.") from error


def _content(source: str | Path | bytes) -> tuple[bytes, str]:
    """Return the bytes of a source and what to call it in a message."""
    if isinstance(source, bytes | bytearray | memoryview):
        content, name = bytes(source), "the upload"
    elif isinstance(source, str | Path):
        path = Path(source).expanduser()
        if path.is_dir():
            raise ImageError(f"{path} is a folder; expected a picture in it.")
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ImageError(f"{path} has {path.stat().st_size:,} bytes; expected at most {MAX_BYTES:,}.")
            content, name = path.read_bytes(), str(path)
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from error
    else:
        raise TypeError(f"source is {type(source).__name__}; expected a path, or the content of a file as bytes.")
    if len(content) > MAX_BYTES:
        raise ImageError(f"{name} has {len(content):,} bytes; expected at most {MAX_BYTES:,}.")
    if not content:
        raise ImageError(f"{name} is empty; expected a PNG, JPEG or WebP picture.")
    return content, name


def _what(content: bytes) -> str:
    """Name a file that is none of FORMATS by how it begins."""
    if content[4:8] == b"ftyp" and content[8:12] in HEIF_BRANDS:
        return "a HEIC or AVIF picture, as some phones save them"
    start = content[:64].lstrip().lower()
    return next((what for mark, what in SIGNATURES.items() if start.startswith(mark.lower())), "no picture")


def _decode(image: Image.Image, name: str, longest: int | None, background: Sequence[int]) -> np.ndarray:
    _check_size(image, name)
    if longest:
        image.draft(None, (longest, longest))  # a JPEG is decoded at a half, a quarter or an eighth where that suffices
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    image.load()
    small = _small(image, longest, background)
    return np.array(small if turn is None else small.transpose(turn))


def _check_size(image: Image.Image, name: str) -> None:
    """Refuse a picture that would take more than MAX_DECODED bytes, as its header claims, before it is decoded."""
    (width, height), kind = image.size, image.format
    each = DECODING["progressive" if image.info.get("progressive") else "JPEG" if kind == "MPO" else kind]
    if height * (width * each + ROW) > MAX_DECODED:
        raise ImageError(
            f"{name} would unpack to {width} x {height} pixels; expected at most {MAX_DECODED // each:,}. Scale it "
            "down before."
        )


def _small(image: Image.Image, longest: int | None, background: Sequence[int]) -> Image.Image:
    """Return a picture in colour, scaled down until its longer side has ``longest`` pixels."""
    scale = min(1.0, longest / max(image.size)) if longest else 1.0
    size = [max(1, round(scale * side)) for side in image.size]
    # A box filter first, to three times the size wanted at least; then Lanczos.
    factors = [max(1, side // (3 * wanted)) for side, wanted in zip(image.size, size, strict=True)]
    small = _in_tiles(image, factors, background)
    if small.size == tuple(size):
        return small
    box = (0, 0, image.width / factors[0], image.height / factors[1])
    return small.resize(size, Image.Resampling.LANCZOS, box=box)


def _in_tiles(image: Image.Image, factors: list[int], background: Sequence[int]) -> Image.Image:
    """Convert a picture to colour and average boxes of pixels, tile by tile: at once takes its size again."""
    (width, height), (across, down) = image.size, factors
    out = np.empty((-(-height // down), -(-width // across), 3), np.uint8)
    wide, high = (factor * max(1, TILE // factor) for factor in factors)
    for top in range(0, height, high):
        for left in range(0, width, wide):
            tile = image.crop((left, top, min(left + wide, width), min(top + high, height)))
            tile = _colour(tile, background)
            pixels = np.asarray(tile if across == down == 1 else tile.reduce((across, down)))
            y, x = top // down, left // across
            out[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return Image.fromarray(out)


def _colour(image: Image.Image, background: Sequence[int]) -> Image.Image:
    """Convert any mode that the three formats have to RGB; transparent places show the background."""
    if image.mode.startswith("I"):  # 16 bits of grey
        grey = np.clip(np.asarray(image), 0, 65535)
        return Image.fromarray(np.round(grey / 257).astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image).convert("RGB")
    return image.convert("RGB")


# Example photographs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photograph:
    """An example photograph that is on this machine.

    Parameters
    ----------
    name : what to call it, such as "china"
    path : the file
    licence, credit, page : under which licence, by whom, and where that is written
    """

    name: str
    path: Path
    licence: str
    credit: str
    page: str


def photographs() -> dict[str, Photograph]:
    """Return the openly licensed example photographs at hand: downloaded ones, and those that packages bring along.

    ``python -m leadwise download images`` fetches them all.
    """
    from leadwise import download  # only here: it brings requests, 5 MiB in every kernel

    found = {}
    for file in download.registry():
        if file.group == "images":
            name = Path(file.path).name
            path = next((p for p in (data_dir() / file.path, *_installed(name)) if download.matches(p, file)), None)
            if path:
                short = Path(name).stem
                found[short] = Photograph(short, path, file.licence, file.citation, file.page)
    return found


def _installed(name: str) -> list[Path]:
    """Places where installed packages may have a photograph; they are looked at, not imported."""
    specs = {package: find_spec(package) for package in INSTALLED}
    return [
        Path(spec.submodule_search_locations[0]) / INSTALLED[package] / name for package, spec in specs.items() if spec
    ]


def load_photograph(name: str) -> np.ndarray:
    """Read an example photograph, uint8 (H, W, 3).

    Raises
    ------
    ImageError : none of this name at hand; the message lists those that are
    """
    at_hand = photographs()
    if name not in at_hand:
        raise ImageError(
            f"no photograph {name!r} at hand, only {', '.join(at_hand) or 'none'}. "
            "Fetch more with: python -m leadwise download images"
        )
    return load_image(at_hand[name].path)
