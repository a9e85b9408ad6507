"""Text of other people: marks, encodings, depth, numbers, and what reads it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from auxnas.genotype import GenotypeError, SearchSpace
from auxnas.genotype.formats import read, read_many
from auxnas.genotype.notation import to_json
from auxnas.genotype.texts import encoding_fault, parse_json, read_text
from auxnas.genotype.zoo import load_published
from auxnas.nasspace.cli import main

LIST = "[[[3, 3], [3, 2], [3, 0]], [8, [0, 0, 5, 2], [0, 2, 8, 8], [0, 5, 1, 4]]]"
LOG = f"reward: 0.43, epoch: 17, genotype: {LIST}\n"


@pytest.mark.parametrize("text", [LIST, LOG, f"{LIST}\n{LIST}\n"])
def test_a_byte_order_mark_is_no_part_of_the_text(text, tmp_path):
    for name, encoding in (("plain", "utf-8"), ("marked", "utf-8-sig")):
        (tmp_path / name).write_text(text, encoding)
    plain, marked = ([d.genotype for d in read_many(tmp_path / n)] for n in ("plain", "marked"))
    assert plain == marked
    assert plain


def test_one_genotype_behind_a_byte_order_mark(tmp_path):
    (tmp_path / "a").write_text(LOG, "utf-8-sig")
    assert read(tmp_path / "a").extra == {"reward": 0.43, "epoch": 17}


def test_a_byte_order_mark_on_the_standard_input():
    result = CliRunner().invoke(main, ["dedupe", "-"], input=LIST.encode("utf-8-sig"))
    assert result.stdout.startswith("1\t[[[3, 3]")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_named(encoding, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(LIST, encoding)
    for reader in (read, lambda path: list(read_many(path))):
        with pytest.raises(GenotypeError) as caught:
            reader(path)
        assert str(caught.value) == f"{path}: text in {encoding.upper()}, expected UTF-8 text"


def test_the_first_byte_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc\xff")
    with pytest.raises(UnicodeDecodeError) as caught:
        read_text(path)
    assert encoding_fault(caught.value) == "byte 3 is not UTF-8"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "nothing"])
def test_what_is_no_json_fails_in_one_way(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_a_lone_surrogate_is_carried_and_printed_as_an_escape(tmp_path):
    document = {**parse_json(_arch0()), "note": "\ud800"}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document), "utf-8")
    result = CliRunner().invoke(main, ["show", str(path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["extra"] == {"note": "\ud800"}


def _arch0() -> str:
    return to_json(load_published("arch0").genotype)


@pytest.mark.parametrize("size", [1001, 2**64, 2**70])
@pytest.mark.parametrize("name", ["encoder_outputs", "blocks", "branches"])
def test_sizes_of_a_space_are_bounded(name, size, tmp_path):
    with pytest.raises(GenotypeError, match=r"expected a positive integer, at most 1000"):
        SearchSpace(**{name: size})
    document = json.loads(_arch0())
    document["space"][name] = size
    (tmp_path / "a.json").write_text(json.dumps(document))
    result = CliRunner().invoke(main, ["show", str(tmp_path / "a.json")], standalone_mode=False)
    assert isinstance(result.exception, GenotypeError)


def test_the_largest_sizes_are_counted():
    options = [f"--{name}=100" for name in ("blocks", "branches", "encoder-outputs")]
    result = CliRunner().invoke(main, ["count", "--json", *options])
    assert result.exit_code == 0
    assert CliRunner().invoke(main, ["count", "--blocks=101"]).exit_code == 2
