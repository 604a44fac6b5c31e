"""Pictures of every mode, orientation and size; files that are damaged, hostile or no pictures at all."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from leadwise.images.io import ImageError, load_image, load_photograph, photographs

ORIENTATION = 0x0112  # EXIF tag
CORNERS = np.zeros((20, 40, 3), np.uint8)
CORNERS[:10, :20], CORNERS[:10, 20:], CORNERS[10:, :20] = (255, 0, 0), (0, 255, 0), (0, 0, 255)  # the last one is black


def encode(image: Image.Image | np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG file chunk by chunk, as the specification says: length, name, content, CRC."""
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def header(width: int, height: int, depth: int = 8, colours: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 100, "subsampling": 0})]
)
def test_formats_from_path_and_bytes(tmp_path, kind, options):
    content = encode(CORNERS, kind, **options)
    path = tmp_path / "picture.of.mine"  # the content counts, not the name
    path.write_bytes(content)
    for source in (path, str(path), content, bytearray(content), memoryview(content)):
        picture = load_image(source)
        assert picture.dtype == np.uint8
        assert picture.shape == (20, 40, 3)
        assert np.abs(picture.astype(int) - CORNERS).max() <= (3 if kind == "JPEG" else 0)


@pytest.mark.parametrize(("kind", "exact"), [("JPEG", False), ("WEBP", True), ("PNG", True)])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a)),
    ],
)
def test_the_cameras_orientation_is_applied(kind, exact, orientation, upright):
    """The eight orientations as the EXIF standard (CIPA DC-008, table "Orientation") describes them."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    picture = load_image(encode(CORNERS, kind, exif=exif, **options))
    assert picture.shape == upright(CORNERS).shape
    assert np.abs(picture.astype(int) - upright(CORNERS)).max() <= (0 if exact else 3)


def test_grey_palette_and_one_bit_become_colour():
    grey = np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5)
    assert np.array_equal(load_image(encode(grey)), np.repeat(grey[..., None], 3, axis=2))
    palette = Image.fromarray(CORNERS).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    assert np.array_equal(load_image(encode(palette)), CORNERS)
    bits = Image.fromarray((grey > 100).astype(np.uint8) * 255).convert("1")
    assert np.array_equal(load_image(encode(bits))[..., 0], (grey > 100) * 255)


def test_sixteen_bits_become_eight():
    """65535 is white, as 255 is; a value in between keeps its share of white, to half a step."""
    grey = np.array([[0, 128, 257, 25700, 32768, 65535]], np.uint16)
    content = encode(Image.fromarray(grey))
    assert content[24] == 16  # bit depth of the PNG header
    assert load_image(content)[0, :, 1].tolist() == [0, 0, 1, 100, 128, 255]
    row = struct.pack(">B6H", 0, 0, 25700, 65535, 65535, 0, 25700)
    colour = png(header(2, 1, depth=16), (b"IDAT", zlib.compress(row)), (b"IEND", b""))
    assert load_image(colour).tolist() == [[[0, 100, 255], [255, 0, 100]]]


def test_what_is_transparent_shows_the_background():
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[..., 0] = 200
    picture[:, 1, 3] = 255  # the right half is opaque
    for content in (encode(picture), encode(picture, "WEBP", lossless=True, exact=True)):
        assert load_image(content)[0].tolist() == [[255, 255, 255], [200, 0, 0]]
        assert load_image(content, background=(0, 9, 0))[0].tolist() == [[0, 9, 0], [200, 0, 0]]
    grey = Image.fromarray(picture[..., [0, 3]])
    assert grey.mode == "LA"
    assert load_image(encode(grey))[0].tolist() == [[255] * 3, [200] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert load_image(encode(palette, transparency=0))[0].tolist() == [[255, 255, 255], [40, 50, 60]]
    colour = Image.new("RGB", (1, 1), (1, 2, 3))
    assert load_image(encode(colour, transparency=(1, 2, 3)))[0, 0].tolist() == [255, 255, 255]


def test_half_transparent_is_mixed():
    picture = np.full((1, 1, 4), [0, 0, 0, 128], np.uint8)
    assert load_image(encode(picture))[0, 0] == pytest.approx([127, 127, 127], abs=1)


def test_print_colours():
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    red, green, blue = load_image(encode(cyan, "JPEG", quality=100))[4, 4]
    assert red < 10
    assert min(green, blue) > 245


def test_the_first_picture_of_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind, options in (("WEBP", {"lossless": True}), ("PNG", {})):
        content = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert load_image(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_tiny_and_large(kind):
    assert load_image(encode(Image.new("RGB", (1, 1)), kind)).shape == (1, 1, 3)
    large = encode(Image.new("L", (3000, 1500), 77), kind)
    assert load_image(large).shape == (512, 1024, 3)
    assert abs(int(load_image(large)[100, 100, 0]) - 77) <= 1
    assert load_image(large, longest=100).shape == (50, 100, 3)
    assert load_image(large, longest=None).shape == (1500, 3000, 3)


def test_a_thin_line_keeps_a_pixel():
    assert load_image(encode(Image.new("L", (5000, 1))), longest=100).shape == (1, 100, 3)


@pytest.mark.parametrize(("width", "height"), [(9_000, 9_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_before_it_unpacks(width, height):
    content = png(header(width, height), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    with pytest.raises(ImageError, match=r"pixels.*[Ss]cale it down before"):
        load_image(content)


def test_a_text_bomb_is_refused():
    text = b"comment\0\0" + zlib.compress(bytes(80_000_000), 9)
    content = png(header(1, 1), (b"zTXt", text), (b"IDAT", zlib.compress(bytes(4))), (b"IEND", b""))
    assert len(content) < 100_000
    with pytest.raises(ImageError, match="damaged"):
        load_image(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encode(noise, kind)
    with pytest.raises(ImageError, match=r"the upload is .*(damaged|incomplete|no picture)"):
        load_image(content[: int(share * len(content))])


def test_a_flipped_bit_is_noticed():
    content = bytearray(encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)))
    content[len(content) // 2] ^= 1  # PNG has checksums
    with pytest.raises(ImageError, match="damaged"):
        load_image(content)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"hello, I am text", "is no picture"),
        (encode(CORNERS, "GIF"), "is a GIF"),
        (encode(CORNERS, "TIFF"), "is a TIFF picture"),
        (encode(CORNERS, "BMP"), "is a BMP picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC or AVIF picture"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"\n<!doctype html><html>", "is a web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, what):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"picture.png {what}.*expected a PNG, JPEG or WebP picture"):
        load_image(path)


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(ImageError, match="is a folder"):
        load_image(tmp_path)
    with pytest.raises(ImageError, match=r"none\.png cannot be read: No such file"):
        load_image(tmp_path / "none.png")
    with pytest.raises(TypeError, match="expected a path, or the content"):
        load_image(7)
    with pytest.raises(ValueError, match="at least 1 pixel"):
        load_image(tmp_path, longest=0)


def test_a_file_too_big_to_be_a_photograph_is_not_even_read(tmp_path):
    path = tmp_path / "big.png"
    with path.open("wb") as file:
        file.truncate(100_000_001)  # sparse: takes no room
    with pytest.raises(ImageError, match="100,000,001 bytes; expected at most"):
        load_image(path)


def test_photographs_of_installed_packages_are_at_hand_with_their_licence(data_dir):
    """scikit-learn and matplotlib, on which the package depends, bring two, of sizes that both projects document."""
    found = photographs()
    assert found["china"].licence == "CC BY 2.0"
    assert "danielbuechele" in found["china"].credit
    assert found["grace_hopper"].licence == "public domain (US Navy)"
    assert load_photograph("china").shape == (427, 640, 3)
    assert load_photograph("grace_hopper").shape == (600, 512, 3)
    with pytest.raises(ImageError, match=r"no photograph 'dodo' at hand, only .*china.*download images"):
        load_photograph("dodo")
