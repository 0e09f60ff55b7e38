import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.ops.shared import refusal
from whygrad.data import looks_inverted, read_images
from whygrad.errors import DataError, FileError, ShapeError

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
COLOUR = np.stack([GREY, GREY.T, 255 - GREY], axis=-1)
#: The weights of red, green and blue in grey, ITU-R 601.
LUMA = np.array([0.299, 0.587, 0.114])
ROUNDING = 1 / 255  # a picture's grey is rounded to a whole number


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def png_header(width, height):
    """Return a file that says it is a picture of that size and holds none."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_grey_png_is_scaled_to_0_to_1(tmp_path):
    x = read_images(save(tmp_path / "a.png", GREY), (1, 8, 8))
    assert x.shape == (1, 1, 8, 8)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[0, 0], GREY / 255, atol=1e-7)


def test_a_grey_png_fills_three_channels_alike(tmp_path):
    x = read_images(save(tmp_path / "a.png", GREY), (3, 8, 8))
    np.testing.assert_allclose(x, np.broadcast_to(GREY / 255, (1, 3, 8, 8)), atol=1e-7)


def test_a_colour_png_keeps_its_channels_or_turns_grey(tmp_path):
    path = save(tmp_path / "a.png", COLOUR)
    np.testing.assert_allclose(read_images(path, (3, 8, 8))[0], np.moveaxis(COLOUR, -1, 0) / 255, atol=1e-7)
    np.testing.assert_allclose(read_images(path, (1, 8, 8))[0, 0], COLOUR @ LUMA / 255, atol=ROUNDING)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_shows_white_paper(tmp_path, mode):
    alpha = np.where(np.arange(64).reshape(8, 8) % 2, 255, 0).astype(np.uint8)
    channels = [COLOUR[..., i] for i in range(3)] if mode == "RGBA" else [GREY]
    x = read_images(save(tmp_path / "a.png", np.stack([*channels, alpha], axis=-1)), (3, 8, 8))
    wanted = np.broadcast_to(np.stack(channels) / 255, (3, 8, 8))
    np.testing.assert_allclose(x[0], np.where(alpha, wanted, 1), atol=ROUNDING)


def test_what_is_half_transparent_is_half_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 3] = 128
    x = read_images(save(tmp_path / "a.png", pixels), (1, 4, 4))
    np.testing.assert_allclose(x, np.full((1, 1, 4, 4), 127 / 255), atol=ROUNDING)


def test_a_palette_is_looked_up_and_its_transparent_colour_is_paper(tmp_path):
    picture = Image.fromarray((np.arange(16, dtype=np.uint8) % 3).reshape(4, 4))
    palette = Image.new("P", (4, 4))
    palette.putdata(list(picture.tobytes()))
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    colours = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    index = np.asarray(picture)
    palette.save(tmp_path / "opaque.png")
    x = read_images(tmp_path / "opaque.png", (3, 4, 4))
    np.testing.assert_array_equal(x[0], np.moveaxis(colours[index], -1, 0))
    palette.save(tmp_path / "transparent.png", transparency=2)
    colours[2] = 1
    x = read_images(tmp_path / "transparent.png", (3, 4, 4))
    np.testing.assert_array_equal(x[0], np.moveaxis(colours[index], -1, 0))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_to_0_to_1_like_eight(tmp_path, channels):
    pixels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    x = read_images(save(tmp_path / "a.png", pixels), (channels, 8, 8))
    np.testing.assert_allclose(x, np.broadcast_to(pixels / 65535, (1, channels, 8, 8)), atol=ROUNDING)


def test_a_black_and_white_png_is_0_and_1(tmp_path):
    pixels = GREY > 100
    x = read_images(save(tmp_path / "a.png", pixels), (1, 8, 8))
    np.testing.assert_array_equal(x[0, 0], pixels)


def test_a_jpeg_is_read_within_its_compression(tmp_path):
    smooth = np.linspace(0, 255, 64).reshape(8, 8).astype(np.uint8)
    x = read_images(save(tmp_path / "a.jpg", smooth, quality=95), (1, 8, 8))
    np.testing.assert_allclose(x[0, 0], smooth / 255, atol=0.03)
    colour = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    x = read_images(save(tmp_path / "b.jpeg", colour, quality=95), (3, 8, 8))
    np.testing.assert_allclose(x[0, :, 4, 4] * 255, (200, 100, 50), atol=4)


def test_pictures_are_resized_by_averaging(tmp_path):
    pixels = np.kron([[0, 255], [255, 0]], np.ones((4, 4))).astype(np.uint8)
    path = save(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_images(path, (1, 2, 2))[0, 0], [[0, 1], [1, 0]])
    np.testing.assert_allclose(read_images(path, (1, 1, 1)), 0.5, atol=ROUNDING)
    assert read_images(path, (1, 16, 4)).shape == (1, 1, 16, 4)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
@pytest.mark.parametrize("shape", [(2, 4, 5), (1, 2, 4, 5), (3, 2, 4, 5)])
def test_arrays_are_taken_as_they_are(tmp_path, dtype, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    x = read_images(tmp_path / "a.npy", (2, 4, 5))
    assert x.dtype == np.float32
    assert x.shape == (shape[0] if len(shape) == 4 else 1, 2, 4, 5)
    np.testing.assert_array_equal(x, array.astype(np.float32).reshape(x.shape))


def test_an_array_without_channels_is_one_grey_image(tmp_path):
    array = np.random.default_rng(0).normal(size=(4, 5))
    np.save(tmp_path / "a.npy", array)
    x = read_images(tmp_path / "a.npy", (1, 4, 5))
    np.testing.assert_array_equal(x, array.astype(np.float32)[None, None])


@pytest.mark.parametrize("shape", [(), (4,), (5, 4), (2, 4, 5), (1, 1, 1, 4, 5), (1, 4, 5, 1)])
def test_arrays_of_other_shapes_are_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    text = f"a.npy: expected an array of shape (4, 5), (1, 4, 5) or (N, 1, 4, 5), received {shape}; reshape or"
    with refusal(ShapeError, text):
        read_images(tmp_path / "a.npy", (1, 4, 5))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "complex128", "U3"])
def test_arrays_that_are_no_floats_are_refused(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros((4, 5), dtype))
    with refusal(DataError, f"a.npy: expected floats, received {np.dtype(dtype)}; scale it as the training images"):
        read_images(tmp_path / "a.npy", (1, 4, 5))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_arrays_that_are_not_finite_in_float32_are_refused(tmp_path, value):
    np.save(tmp_path / "a.npy", np.full((4, 5), value))
    with refusal(DataError, "a.npy: expected finite numbers, received"):
        read_images(tmp_path / "a.npy", (1, 4, 5))


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([Trap()], object), allow_pickle=True)
    with refusal(FileError, "a.npy: expected a NumPy array without objects, received"):
        read_images(tmp_path / "a.npy", (1, 4, 5))
    assert not (tmp_path / "sprung").exists()


def npz():
    file = io.BytesIO()
    np.savez(file, images=np.zeros((4, 5)))
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(shape):
    """Return the beginning of an array of that shape, and hardly anything of the array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(80)


def encoded(form):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.npy", b"", id="empty array"),
        pytest.param("a.npy", b"no array", id="text named npy"),
        pytest.param("a.npy", npy(np.zeros((4, 5)))[:-8], id="truncated array"),
        pytest.param("a.npy", npy(np.zeros((4, 5)))[:20], id="truncated header"),
        pytest.param("a.npy", npy_header((10**17,)), id="array that fits no memory"),
        pytest.param("a.npy", npz(), id="archive named npy"),
        pytest.param("a.npy", b"PK\x03\x04 damaged", id="damaged archive named npy"),
        pytest.param("a.png", b"", id="empty picture"),
        pytest.param("a.png", b"This is no picture.\n", id="text named png"),
        pytest.param("a.png", encoded("png")[:2000], id="truncated png"),
        pytest.param("a.png", encoded("png")[:100] + bytes(50) + encoded("png")[150:], id="damaged png"),
        pytest.param("a.jpg", encoded("jpeg")[:1500], id="truncated jpeg"),
    ],
)
def test_files_that_hold_no_image_are_refused_with_their_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with refusal(FileError, f"{name}: expected "):
        read_images(tmp_path / name, (1, 4, 5))


def test_pictures_of_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(20_000, 20_000))
    with refusal(DataError, "a.png: expected at most 64000000 pixels, received a larger picture; make it smaller"):
        read_images(tmp_path / "a.png", (1, 4, 5))
    for width, height in ((9000, 8000), (10_000, 10_000)):
        (tmp_path / "a.png").write_bytes(png_header(width, height))
        text = f"a.png: expected at most 64000000 pixels, received {width}x{height}; make it smaller"
        with refusal(DataError, text):
            read_images(tmp_path / "a.png", (1, 8, 8))


@pytest.mark.parametrize(
    ("name", "received"),
    [
        ("missing.png", "no such file"),
        ("missing.npy", "no such file"),
        (".", "something else, such as a directory"),
    ],
)
def test_a_missing_file_and_a_directory_are_refused(tmp_path, name, received):
    with refusal(FileError, f": expected an image file, received {received}; check the path"):
        read_images(tmp_path / name, (1, 8, 8))


def test_pictures_are_refused_where_the_model_wants_two_channels(tmp_path):
    path = save(tmp_path / "a.png", GREY)
    with refusal(ShapeError, "a.png: expected an array with 2 channels, received a picture; pass a .npy file"):
        read_images(path, (2, 8, 8))


def test_dark_ink_on_light_paper_looks_inverted_and_light_ink_on_dark_does_not():
    ink = np.zeros((2, 1, 8, 8), np.float32)
    ink[:, :, 2:6, 3:5] = 1
    assert looks_inverted(ink) is False
    assert looks_inverted(1 - ink) is True
    assert looks_inverted(ink[:0]) is False


def test_photographs_are_turned_upright(tmp_path):
    pixels = np.zeros((4, 5), np.uint8)
    pixels[0] = 255
    turned = Image.fromarray(np.rot90(pixels))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees to be seen upright
    turned.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_images(tmp_path / "a.png", (1, 4, 5))[0, 0], pixels / 255)


def test_an_array_without_images_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 1, 4, 5)))
    with refusal(DataError, "a.npy: expected at least one image, received an empty array"):
        read_images(tmp_path / "a.npy", (1, 4, 5))


@pytest.mark.parametrize("kind", ["TIFF", "EPS", "PPM", "ICO"])
def test_formats_that_were_not_asked_for_are_never_decoded(tmp_path, kind):
    Image.new("RGB", (5, 4)).save(tmp_path / "a.png", format=kind)
    with refusal(FileError, "a.png: expected a PNG, JPEG, BMP, WebP or GIF, received something else; check that"):
        read_images(tmp_path / "a.png", (1, 4, 5))


def test_damaged_headers_of_arrays_are_refused_whatever_they_say(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5), np.float32))
    content = (tmp_path / "a.npy").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for at in rng.integers(0, 100, 3):
            damaged[at] = rng.integers(0, 256)
        (tmp_path / "a.npy").write_bytes(damaged)
        try:
            read_images(tmp_path / "a.npy", (1, 4, 5))
        except (FileError, DataError, ShapeError):
            refused += 1
    assert refused > 200
