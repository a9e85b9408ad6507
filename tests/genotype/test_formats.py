"""Every notation read back, and everything else refused with its place."""

from __future__ import annotations

import json
import os
import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.genotype import (
    CVPR2019,
    Cell,
    Genotype,
    GenotypeError,
    SearchSpace,
    Vocabulary,
    dedupe,
    parse,
    read,
    read_many,
    to_json,
)
from auxnas.genotype.formats import LONGEST
from auxnas.genotype.nested import from_nested
from auxnas.genotype.notation import DocumentReader, from_value, load_json
from tests.genotype.oracles import LISTED, members
from tests.strategies import CUSTOM, FIVE, PAPER, SMALL

SPACES = (*LISTED.values(), PAPER, SMALL, FIVE, CUSTOM)


def cell_first(genotype: Genotype) -> str:
    connections, cell = json.loads(str(genotype))
    return str([cell, connections])


WRITERS = {
    "json": to_json,
    "paper": str,
    "cell-first": cell_first,
    "log": lambda genotype: f"reward: 0.43, epoch: 17, genotype: {cell_first(genotype)}",
}


@pytest.mark.parametrize("notation", WRITERS)
@given(genotype=members(*SPACES))
def test_what_is_written_is_read_back(notation, genotype):
    document = parse(WRITERS[notation](genotype), genotype.space)
    assert document.genotype == genotype
    assert document.format == notation


@given(st.lists(members(*SPACES), min_size=1, max_size=4))
def test_documents_one_after_another_are_read_as_each_alone(genotypes):
    reader = DocumentReader()
    found = [reader.read(to_json(genotype)) for genotype in genotypes for _ in range(2)]
    assert found == [genotype for genotype in genotypes for _ in range(2)]
    assert all(one.space is other.space for one, other in zip(found[::2], found[1::2], strict=True))
    for text in ("", "[]", "{}", '{"space": 3}', to_json(genotypes[0]).replace("cell", "sell")):
        with pytest.raises(GenotypeError):
            reader.read(text)


@given(genotype=members(*SPACES))
def test_tokens_are_read_back(genotype):
    assert genotype.space.genotype(genotype.tokens) == genotype


@settings(max_examples=20)
@given(genotypes=st.lists(members(PAPER), min_size=1, max_size=5))
def test_files_of_many_lines_are_read_back(genotypes, tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "genotypes.out"
    path.write_text("\n".join(WRITERS["log"](genotype) for genotype in genotypes))
    assert [document.genotype for document in read_many(path)] == genotypes


CELL = "[8, [0, 0, 5, 2], [0, 2, 8, 8], [0, 5, 1, 4]]"
PAIRS = "[[3, 3], [3, 2], [3, 0]]"


def written(cell: str = CELL, pairs: str = PAIRS) -> str:
    return f"[{pairs}, {cell}]"


def located(value: str) -> str:
    """The cell with ``value`` for branch 1's first location."""
    return written(CELL.replace("[0, 2, 8", f"[{value}, 2, 8"))


HERE = "cell.branches[1].locations[0]:"
BAD = [
    (located("7"), f"{HERE} 7 is not in 0..4"),
    (located("-1"), f"{HERE} -1 is not in 0..4"),
    (located("true"), f"{HERE} True is not an integer"),
    (located("0.0"), f"{HERE} 0.0 is not an integer"),
    (located('"0"'), f"{HERE} '0' is not an integer"),
    (located("5"), f"{HERE} 5 is not in 0..4"),  # its own output
    (located("9"), f"{HERE} 9 is not in 0..4"),  # a later branch's
    (written(CELL.replace("[8", "[11")), "cell.first: 11 is not in 0..10"),
    (written(pairs=PAIRS.replace("[3, 2]", "[3, 5]")), "connections[1][1]: 5 is not in 0..4"),
    (written(pairs=PAIRS.replace("[3, 2]", "[3]")), "connections[1]: a list of 1"),
    (f"[{PAIRS}]", "genotype: a list of 1"),
    ("[" * 100_000 + "]" * 100_000, "text: nested too deep"),
    ("1" * 10_000, "text: "),
    ("[" + "1" * 10_000 + "]", "genotype: a list of 1"),
    ("[" + "1" * 30_000 + "]", "text: "),
    (written(CELL.replace("[8", "[" + "1" * 6000)), "cell.first: an integer of 19929 bits is"),
    (written(CELL.replace("[8", "[-" + "1" * 600)), "cell.first: an integer of 1990 bits is"),
    (written(CELL.replace("[8", "[" + "1" * 30)), f"cell.first: {'1' * 30} is not in 0..10"),
    ("", "text: ''"),
    ("[null, []]", "genotype: [None, []]"),
    ("import os", "text: 'import os'"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_is_refused_with_its_place(text, message):
    with pytest.raises(GenotypeError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [[1], None, b"x", 3])
def test_what_is_not_a_text_is_refused(text):
    with pytest.raises(GenotypeError, match=r"^text: "):
        parse(text)


@pytest.mark.parametrize("value", [None, 3, [[1]]])
def test_what_is_not_a_genotype_is_refused_everywhere(value):
    expected = rf"genotype: {re.escape(repr(value))}, expected a Genotype$"
    assert re.match(expected, PAPER.violation(value))
    for use in (
        PAPER.check,
        PAPER.rank,
        PAPER.orbit_size,
        to_json,
        lambda value: list(PAPER.neighbours(value)),
        lambda value: PAPER.mutate(value, random.Random(0)),
    ):
        with pytest.raises(GenotypeError, match=expected):
            use(value)
    with pytest.raises(GenotypeError, match=r"genotypes\[1\]: .*, expected a Genotype$"):
        dedupe([PAPER.unrank(0), value])


def test_only_members_are_made():
    with pytest.raises(GenotypeError, match=r"cell\.first: 11 is not in 0\.\.10"):
        replace(PAPER.unrank(0), cell=replace(PAPER.unrank(0).cell, first=11))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (10**5000, "an integer of 16610 bits is not in 0..10"),
        (-(10**5000), "an integer of 16610 bits is negative"),
        ("9" * 600, f"'{'9' * 56}... is not an integer"),
        ([10**5000], "a list that cannot be printed is not an integer"),
    ],
    ids=range(4),
)
def test_what_is_long_is_not_echoed_whole(value, message):
    with pytest.raises(GenotypeError) as refused:
        replace(PAPER.unrank(0), cell=replace(PAPER.unrank(0).cell, first=value))
    assert str(refused.value) == f"cell.first: {message}"
    for level in (value, repr):
        with pytest.raises(GenotypeError) as caught:
            PAPER.count(level)
        assert len(str(caught.value)) < 150


@pytest.mark.parametrize("rows", [(1,), [CVPR2019[0]], 3, None])
def test_vocabularies_are_made_of_operations(rows):
    with pytest.raises(GenotypeError, match=r"^operations(\[0\])?: .* Operation"):
        Vocabulary(rows)
    with pytest.raises(GenotypeError, match=r"^space\.vocabulary: .*expected a Vocabulary"):
        SearchSpace(vocabulary=rows)


def test_a_list_of_documents_is_read_and_its_places_named(tmp_path):
    path = tmp_path / "list.json"
    documents = [json.loads(to_json(PAPER.unrank(k), note=k)) for k in range(1200)]
    for indent in (None, 2):  # more than LONGEST characters, on one line and on many
        path.write_text(json.dumps({"seed": 0, "genotypes": documents}, indent=indent))
        found = list(read_many(path))
        assert [document.genotype for document in found] == list(map(PAPER.unrank, range(1200)))
        assert found[7].place == f"{path}: genotypes[7]"
        assert found[7].extra == {"note": 7}
    documents[3]["connections"][0][0] = 9
    path.write_text(json.dumps({"genotypes": documents}))
    expected = f"^{re.escape(str(path))}: genotypes\\[3\\]: connections\\[0\\]\\[0\\]: 9 is not"
    with pytest.raises(GenotypeError, match=expected):
        list(read_many(path))
    path.write_text('{"genotypes": 3}')
    with pytest.raises(GenotypeError, match="genotypes: 3, expected a list"):
        list(read_many(path))


def test_lines_are_read_across_what_is_looked_at_first(tmp_path):
    path = tmp_path / "lines"
    line = f"{written()}\n"
    path.write_text("\n" + line * (LONGEST // len(line) + 20))
    places = [document.place for document in read_many(path)]
    assert places == [f"{path}:{number}" for number in range(2, 2 + len(places))]
    assert len(places) == LONGEST // len(line) + 20
    with path.open() as file:
        assert [document.place for document in read_many(file)] == places


def test_good_input_is_not():
    assert parse(f"[{PAIRS}, {CELL}]").genotype.cell.first == 8


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.json"
    path.touch()
    os.truncate(path, 100 << 20)
    for reader in (read, lambda path: list(read_many(path))):
        with pytest.raises(GenotypeError, match=r"huge\.json"):
            reader(path)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def accepted(text: str) -> bool:
    """Whether ``text`` is a genotype; fails on any error that is not a GenotypeError."""
    try:
        parse(text)
    except GenotypeError:
        return False
    return True


@given(value=ANYTHING)
def test_anything_else_is_a_genotype_error(value):
    assert not accepted(json.dumps(value))


@given(genotype=members(PAPER), data=st.data())
def test_a_document_with_one_part_replaced_is_read_or_refused(genotype, data):
    document = json.loads(to_json(genotype))
    path = document
    while True:
        keys = list(path) if isinstance(path, dict) else list(range(len(path)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(path[key], dict | list) and path[key]) or data.draw(st.booleans()):
            break
        path = path[key]
    path[key] = data.draw(ANYTHING)
    accepted(json.dumps(document))


VALUES = st.integers(-3, 12) | st.booleans() | st.floats() | st.none() | st.text(max_size=2)


@given(tokens=st.lists(VALUES, min_size=17, max_size=20))
def test_any_tokens_are_a_member_or_a_genotype_error(tokens):
    try:
        genotype = PAPER.genotype(tokens)
    except GenotypeError:
        return
    assert PAPER.violation(genotype) is None


ROWS = st.lists(st.lists(VALUES, max_size=5).map(tuple) | VALUES, max_size=4).map(tuple) | VALUES


@given(connections=ROWS, first=VALUES, branches=ROWS)
def test_any_genotype_is_a_member_or_refused_with_no_other_error(connections, first, branches):
    try:
        genotype = Genotype(connections, Cell(first, branches), PAPER)
    except GenotypeError:
        return
    assert PAPER.violation(genotype) is None
    assert PAPER.unrank(PAPER.rank(genotype)) == genotype


@pytest.mark.parametrize("size", [0, -1, 1.0, True, "3", None])
def test_spaces_of_no_size_are_refused(size):
    with pytest.raises(GenotypeError, match=r"space\.blocks"):
        SearchSpace(blocks=size)


DAMAGE = ("", " ", ",", "-", "0", "1", "7", "[", "]", "1.0", "1e1", '"', "9999999", "\n", "true")


def read_as(reader, text: str, space: SearchSpace) -> str:
    """What ``reader`` finds in ``text``, or says of it."""
    try:
        found = reader(text, space)
    except GenotypeError as error:
        return str(error)
    return f"{found.format} {found.genotype}"


@settings(max_examples=300)
@given(st.sampled_from(SPACES), st.randoms(use_true_random=False), st.booleans(), st.data())
def test_nested_lists_are_read_as_parsed_ones(space, rng, turned, data):
    genotype = space.sample(rng, "raw")
    text = cell_first(genotype) if turned else str(genotype)
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(text)))
        stop = start + data.draw(st.integers(0, 3))
        text = text[:start] + data.draw(st.sampled_from(DAMAGE)) + text[stop:]
    parsed = read_as(lambda text, space: from_value(load_json(text), space), text, space)
    assert read_as(from_nested, text, space) == parsed
