"""The reader of photographs, the reader of label images, and folders of them."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from auxnas.backends.images import (
    DataError,
    dark_remark,
    find_images,
    find_label_images,
    header,
    judge_photographs,
    read_label,
    read_numbers,
    read_photograph,
    reading_manner,
)
from auxnas.backends.images.opening import MOST_PIXELS
from auxnas.compiler.tasks import TargetFormat

ORIENTATION = 0x0112
RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]


def refusal(action, *args) -> str:
    with pytest.raises(DataError) as caught:
        action(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def tagged(path: Path, image: Image.Image, tag: int, kind: str) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    extra = {"lossless": True} if kind == "WEBP" else {}
    image.save(path, kind, exif=exif, **extra)
    return path


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("tag", range(9))
def test_photographs_are_upright(tmp_path, kind, tag):
    """As Pillow's own function has it, which ours does not use."""
    path = tagged(tmp_path / "a", Image.fromarray(RGB), tag, kind)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_photograph(path), expected)
    assert (read_photograph(path).shape == (7, 5, 3)) == (tag > 4)
    assert header(path.read_bytes()).orientation == max(tag, 1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16"])
def test_label_images_and_16_bits_are_upright(tmp_path, kind, tag, mode):
    image = Image.fromarray(GREY % 2 * (1 if mode == "P" else 255))
    image = Image.fromarray(GREY.astype(np.uint16)) if mode == "I;16" else image.convert(mode)
    plain = tagged(tmp_path / "plain", image, 1, kind)
    turned = tagged(tmp_path / "turned", image, tag, kind)
    read = read_photograph if mode == "I;16" else read_label
    expected = ImageOps.exif_transpose(tagged_image(Image.fromarray(read(plain)), tag))
    assert np.array_equal(read(turned), np.asarray(expected))


def tagged_image(image: Image.Image, tag: int) -> Image.Image:
    image.getexif()[ORIENTATION] = tag
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_tag_behind_the_pixels_of_a_png_counts(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "PNG")
    data = stream.getvalue()[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    assert np.array_equal(read_photograph(tmp_path / "a.png"), np.rot90(RGB, -1))
    assert reading_manner(header(data)) == "turned 6"


@pytest.mark.parametrize("tag", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0" * 40])
def test_a_tag_that_cannot_be_made_out_turns_nothing(tmp_path, tag):
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=tag)
    assert np.array_equal(read_photograph(tmp_path / "a.png"), RGB)


def test_no_tag_no_other_name():
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "PNG")
    assert reading_manner(header(stream.getvalue())) == ""
    assert reading_manner(header(b"no picture")) == ""


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_8_bits_becomes_rgb(tmp_path, mode):
    image = Image.fromarray(RGB).convert("RGBA" if mode == "PA" else "RGB").convert(mode)
    kind = {"HSV": "PPM", "PA": "GIF", "P": "PNG"}.get(mode, "TIFF")
    unsaved = {"HSV": "RGB", "PA": "P"}
    image.convert(unsaved.get(mode, mode)).save(tmp_path / "a", kind)
    with Image.open(tmp_path / "a") as stored:
        expected = np.asarray(stored.convert("RGBA").convert("RGB"))
    assert np.array_equal(read_photograph(tmp_path / "a"), expected)


def test_transparency_shows_the_colour_beneath(tmp_path):
    Image.fromarray(np.dstack([RGB, GREY * 0])).save(tmp_path / "a.png")
    assert np.array_equal(read_photograph(tmp_path / "a.png"), RGB)
    image = Image.fromarray(GREY % 4)
    image.putpalette([n * 7 for n in range(12)])
    image.save(tmp_path / "b.png", transparency=b"\x00\x80")
    assert np.array_equal(read_photograph(tmp_path / "b.png")[:, :, 0], GREY % 4 * 21)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_are_scaled_over_their_range(tmp_path, kind):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "a", kind)
    expected = np.round(values / 257).astype(np.uint8)
    found = read_photograph(tmp_path / "a")
    assert np.array_equal(found, np.dstack([expected] * 3))
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "b", kind)
    assert np.array_equal(read_photograph(tmp_path / "b")[:, :, 0], GREY)


def test_12_bits_in_16_are_said_to_be_dark(tmp_path):
    Image.fromarray(GREY.astype(np.uint16) * 16).save(tmp_path / "a.png")
    judged = judge_photographs([tmp_path / "a.png"])
    assert "shots: no value above 16 of 255; files of 16" in dark_remark("shots", judged.brightest)
    assert [dark_remark("shots", brightest) for brightest in (0, 17, 255)] == [""] * 3


def test_16_bits_where_zero_is_white(tmp_path):
    values = GREY.astype(np.uint16) * 257
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "a.tif") as image:
        assert image.tag_v2[262] == 0
        stored = np.asarray(image)
    assert np.array_equal(read_photograph(tmp_path / "a.tif")[:, :, 0], 255 - stored // 257)


@pytest.mark.parametrize(
    ("content", "words"),
    {
        b"": "an empty file, expected the whole file",
        b"hello": "not an image file",
        b"version https://git-lfs.github.com/spec/v1\n": "a Git LFS pointer, expected",
        b"<!DOCTYPE html>": "a web page, expected the file itself",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "(HEIC), or a film, expected JPEG or PNG",
    }.items(),
)
def test_what_is_no_picture_is_told_by_its_first_bytes(tmp_path, content, words):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for reader in read_photograph, read_label:
        assert words in refusal(reader, path)
        assert words in refusal(reader, content)


@pytest.mark.parametrize(("dtype", "words"), [("int32", "integers"), ("float32", "floating")])
def test_32_bits_are_refused_by_name(tmp_path, dtype, words):
    Image.fromarray(GREY.astype(dtype)).save(tmp_path / "a.tif")
    message = refusal(read_photograph, tmp_path / "a.tif")
    assert message.startswith(f"{tmp_path / 'a.tif'}: pixels are")
    assert words in message
    assert "save them as 8 bits" in message
    assert "mode" in refusal(read_label, tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_labels_are_values_as_stored(tmp_path, bits, mode):
    """Pillow spreads grey of 2 and 4 bits over 0 to 255, which are other classes."""
    values = GREY & ((1 << bits) - 1)
    image = Image.fromarray(values)
    if mode == "P":
        image.putpalette([n * 3 % 256 for n in range(768)])
    else:
        image = image if bits > 1 else Image.fromarray(values * 255).convert("1")
    path = tmp_path / "a.png"
    path.write_bytes(grey_png(values, bits)) if mode == "L" else image.save(path, bits=bits)
    assert np.array_equal(read_label(path), values)
    assert (reading_manner(header(path.read_bytes()), label=True) != "") == (
        mode == "L" and bits in (2, 4)
    )


def grey_png(values: np.ndarray, bits: int) -> bytes:
    """A greyscale PNG written by hand."""
    planes = np.unpackbits(values[:, :, None], axis=2)[:, :, -bits:].reshape(len(values), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in planes)
    size = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("read", [read_photograph, read_label])
def test_sizes_are_checked_before_anything_is_decoded(tmp_path, read):
    side = int(MOST_PIXELS**0.5) + 1
    sizes = {"a.png": (side, side), "b.png": (1 << 30, 1 << 30), "c.png": (MOST_PIXELS + 1, 1)}
    for name, (width, height) in sizes.items():
        start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        body = start + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        tracemalloc.start()
        message = refusal(read, tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()
        assert "expected at most 89 million pixels" in message
        assert name in message


NUMBERS = TargetFormat("float32", np.nan)


def array_header(path: Path, shape: tuple[int, ...], there: int = 0) -> Path:
    """A ``.npy`` file that claims a shape, and has so many bytes behind it, as holes."""
    with path.open("wb") as file:
        said = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, said)
        file.truncate(file.tell() + there)
    return path


@pytest.mark.parametrize(
    ("shape", "there", "message"),
    [
        ((400_000, 400_000), 0, "cannot be read"),
        ((1 << 40, 1 << 40), 0, "cannot be read"),
        ((1 << 70, 2), 0, "cannot be read"),
        ((-4, 4), 64, "cannot be read"),
        ((4, 4), 63, "cannot be read"),
        ((MOST_PIXELS + 1, 1), 4 * MOST_PIXELS + 4, "expected at most 89 million pixels"),
    ],
)
def test_an_array_of_more_than_there_is_or_may_be_is_not_read(tmp_path, shape, there, message):
    path = array_header(tmp_path / "a.npy", shape, there)
    tracemalloc.start()
    found = refusal(read_numbers, path, NUMBERS)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert message in found
    assert "a.npy" in found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04 of nothing", "an archive of arrays (.npz), expected one array"),
        (b"\x93NUMPY\x01\x00\x03\x00((\n", "cannot be read"),
    ],
)
def test_what_is_no_array_is_one_line(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    assert message in refusal(read_numbers, tmp_path / "a.npy", NUMBERS)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "no regular file" in refusal(read_photograph, tmp_path / "pipe.png")
    assert "no regular file" in refusal(read_numbers, tmp_path / "pipe.png", NUMBERS)
    assert "a folder" in refusal(read_photograph, tmp_path)
    (tmp_path / "a.png").symlink_to("../gone")
    assert "a broken link (to ../gone)" in refusal(read_label, tmp_path / "a.png")
    (tmp_path / "round.png").symlink_to("round.png")
    assert "round.png" in refusal(read_photograph, tmp_path / "round.png")
    assert "no file name" in refusal(read_photograph, "a\0b")


def test_a_drawing_is_not_handed_to_another_program(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png", "EPS")
    assert "a drawing (EPS)" in refusal(read_photograph, tmp_path / "a.png")


def encoded(kind: str) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(RGB).save(stream, kind, exif=exif)
    return stream.getvalue()


SEEDS = [encoded(kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM")]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_damaged_files_are_read_or_named(tmp_path_factory, seed, data):
    content = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    assert isinstance(reading_manner(header(bytes(content)), label=True), str)
    for read in (read_photograph, read_label):
        found = outcome(read, path)
        assert found == "read" or str(path) in found


def outcome(read, path: Path) -> str:
    """``read``, or the message of the one error that a file may end in."""
    try:
        return "read" if read(path).dtype == np.uint8 else "of another type"
    except DataError as error:
        return str(error)


def photograph(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_images(folder)]


def test_links_are_followed_and_loops_are_not(tmp_path):
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    photograph(photos / "0.png")
    photograph(photos / "deep" / "1.JPG")
    photograph(elsewhere / "2.png")
    photograph(elsewhere / "more" / "3.png")
    (photos / "linked").symlink_to(elsewhere)
    (photos / "4.png").symlink_to(elsewhere / "2.png")
    (photos / "again").symlink_to(photos / "deep")
    (photos / "deep" / "up").symlink_to(photos)
    (photos / "above").symlink_to(tmp_path)
    (elsewhere / "back").symlink_to(photos)
    assert names(photos) == ["0.png", "4.png", "deep/1.JPG", "linked/2.png", "linked/more/3.png"]
    (tmp_path / "link").symlink_to(photos)
    assert len(names(tmp_path / "link")) == 5


def test_broken_links_are_said(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "linked").symlink_to("../gone")
    (folder / "notes.txt").symlink_to("../gone")
    message = refusal(find_images, folder)
    assert "no image files, but a link that leads nowhere (linked -> ../gone)" in message
    (folder / "other.png").symlink_to("../gone too")
    assert "2 links that lead nowhere" in refusal(find_images, folder)
    photograph(folder / "0.png")
    assert names(folder) == ["0.png", "linked", "other.png"]
    (tmp_path / "link").symlink_to("gone")
    assert "a broken link" in refusal(find_images, tmp_path / "link")


def test_labels_lie_where_their_photographs_do(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    found = [photograph(images / f"{city}/0.x.jpg") for city in ("a", "b")]
    expected = [photograph(labels / "a/0.x.png"), photograph(labels / "b/0.x.TIF")]
    assert list(find_label_images(found, images, labels)) == expected
    (labels / "c").symlink_to("a")
    third = photograph(images / "c/0.x.jpg")
    assert find_label_images([third], images, labels) == (labels / "c/0.x.png",)
    photograph(labels / "b/0.x.bmp")
    assert "0.x.TIF and 0.x.bmp, expected one" in refusal(find_label_images, found, images, labels)
    lonely = [photograph(images / "d/9.jpg")]
    assert "labels/d: no label image 9.png" in refusal(find_label_images, lonely, images, labels)
    twice = [photograph(images / "a/1.jpg"), photograph(images / "a/1.png")]
    photograph(labels / "a/1.png")
    for path, other in (twice, twice[::-1]):
        message = refusal(find_label_images, [path], images, labels)
        assert f"{path}: {other.name} beside it, and one label image for both" in message
    assert "no such directory" in refusal(find_label_images, found, images, tmp_path / "no")


def test_a_folder_of_labels_is_listed_once_for_all_photographs(tmp_path, monkeypatch):
    found = [photograph(tmp_path / f"images/{name}.jpg") for name in "abcdef"]
    labels = [photograph(tmp_path / f"labels/{name}.png") for name in "abcdef"]
    listed, iterdir = [], Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path.name) or iterdir(path))
    assert list(find_label_images(found, tmp_path / "images", tmp_path / "labels")) == labels
    assert sorted(listed) == ["images", "labels"]


def test_photographs_that_say_nothing(tmp_path):
    files = [photograph(tmp_path / f"{n}.png", n) for n in range(4)]
    Image.fromarray(np.asarray(Image.open(files[1]))).save(tmp_path / "4.bmp")
    for name, colour in (("5.png", 0), ("6.png", 200)):
        Image.new("RGB", (90, 60), (colour, 0, 9)).save(tmp_path / name)
    noise = np.random.default_rng(0).integers(0, 3, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "7.png")
    judged = judge_photographs(find_images(tmp_path))
    assert judged.kept == tuple(files)
    assert [path.name for path in judged.plain] == ["5.png", "6.png", "7.png"]
    assert [path.name for path in judged.repeated] == ["4.bmp"]
    assert str(judged) == "8 images, 3 blank (5.png, ...), 1 seen before (4.bmp)"
    assert "expected 5 or more different ones to look at" in refusal(
        judged.at_least, 5, "x", "to look at"
    )
    assert judged.at_least(4, "x", "") == tuple(files)


def test_text_chunks_are_no_way_in(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "x" * 30_000_000, zip=True)
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=info)
    assert "cannot be read" in refusal(read_photograph, tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["gif", "pgm", "ppm", "pnm"])
def test_pictures_that_are_read_alone_are_found_in_folders(tmp_path, suffix):
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    path = tmp_path / f"a.{suffix}"
    grey.save(path, format="GIF" if suffix == "gif" else "PPM")
    assert find_images(tmp_path) == [path]
    assert read_photograph(path).shape == (8, 8, 3)
