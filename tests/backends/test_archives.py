"""Archives of somebody else's: judged by their directory before anything is unpacked."""

import json
import re
import zipfile

import pytest

from auxnas.backends.artefacts.archives import MOST_RATIO, SPARE, open_archive
from auxnas.backends.tensorrt.bundle import MANIFEST, read_bundle
from auxnas.compiler import CompilerError


def bundle(path, manifest, **options) -> None:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr(
            MANIFEST, manifest if isinstance(manifest, bytes) else json.dumps(manifest)
        )


def flip(path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def refused(path) -> str:
    with pytest.raises(CompilerError) as caught:
        read_bundle(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize(
    "manifest",
    [[], 5, None, {}, {"files": []}, {"files": {}, "metadata": []}, b"[" * 100_000, b"\xff",
     {"files": {}, "metadata": {"a": 5}}, {"files": {"absent": {}}, "metadata": {}}],
)  # fmt: skip
def test_any_manifest_is_one_line(tmp_path, manifest):
    bundle(tmp_path / "a.trt.zip", manifest)
    said = refused(tmp_path / "a.trt.zip")
    assert "not a whole bundle: " in said
    no_python = r"manifest.json (is not an object with|has metadata that)|no item named 'absent'"
    assert re.search(no_python, said)


def test_encrypted_and_oddly_packed_archives_are_named(tmp_path):
    path = tmp_path / "a.trt.zip"
    bundle(path, {})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 8] |= 1
    path.write_bytes(raw)
    assert "an encrypted archive (manifest.json)" in refused(path)
    bundle(path, {}, compression=zipfile.ZIP_LZMA)
    assert "packed by method 14" in refused(path)


def test_a_bomb_is_refused_by_its_directory(tmp_path, monkeypatch):
    path = tmp_path / "a.trt.zip"
    bundle(path, b" " * (SPARE + 200_000), compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    assert "bytes in an archive of" in refused(path)


def test_what_is_not_far_larger_than_its_file_is_opened(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text", b"abcdefgh" * (SPARE // 8))
    with open_archive(path, "a.zip", "one") as archive:
        assert len(archive.read("text")) == SPARE
    assert MOST_RATIO > 1


def test_a_wrong_checksum_within_is_named(tmp_path):
    path = tmp_path / "a.trt.zip"
    bundle(path, {"files": {}})
    flip(path, b'"files"', b'"filez"')
    assert "not a whole bundle: Bad CRC-32" in refused(path)
