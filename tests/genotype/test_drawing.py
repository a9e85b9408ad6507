"""The pictures, judged from the scene alone: what overlaps, what crosses, what is shown."""

import functools
import itertools
import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genotype import CVPR2019, Genotype, GenotypeError, Operation, SearchSpace, Vocabulary, parse
from genotype.diagram import Diagram, cell_diagram, connections_diagram, operation_kind
from genotype.drawing import draw, draw_cell, draw_connections
from genotype.layout import Graph, lay_out
from genotype.ordering import Layers, Segments, crossings, orderings
from genotype.pictures import dashes, render, save, svg
from genotype.scene import Box, Path, Point, Scene, Text, straight, text_width
from genotype.zoo import NAMES, load

Rectangle = tuple[float, float, float, float]
SPACES = (
    SearchSpace.cvpr2019(),
    SearchSpace(4, 2, 2, Vocabulary(CVPR2019.operations[:5])),
    SearchSpace(5, 3, 3),
    SearchSpace(1, 1, 1),
    SearchSpace(6, 5, 5),
)


@st.composite
def genotypes(draw_from: st.DrawFn) -> Genotype:
    space = draw_from(st.sampled_from(SPACES))
    return space.genotype([draw_from(st.integers(0, token.size - 1)) for token in space.layout])


# The checker ---------------------------------------------------------------------------


def faults(scene: Scene) -> list[str]:
    """Everything that should not be in a picture."""
    return [
        *outside(scene),
        *overlapping_boxes(scene),
        *overlapping_texts(scene),
        *texts_over_borders(scene),
        *paths_over_boxes(scene),
        *paths_over_texts(scene),
    ]


def rectangle(box: Box) -> Rectangle:
    half, tall = box.width / 2, box.height / 2
    return box.x - half, box.y - tall, box.x + half, box.y + tall


def overlap(a: Rectangle, b: Rectangle, by: float = 0.01) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > by and min(a[3], b[3]) - max(a[1], b[1]) > by


def inside(a: Rectangle, b: Rectangle) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]


def outside(scene: Scene) -> Iterator[str]:
    sheet = (0.0, 0.0, scene.width, scene.height)
    for box in scene.boxes:
        if not inside(rectangle(box), sheet):
            yield f"box {box.name} leaves the sheet"
    for text in scene.texts:
        if not inside(text.extent, sheet):
            yield f"text {text.text} leaves the sheet"
    for path in scene.paths:
        if not all(inside((x, y, x, y), sheet) for x, y in path.polyline()):
            yield f"the path from {path.source} leaves the sheet"


def overlapping_boxes(scene: Scene) -> Iterator[str]:
    for a, b in itertools.combinations(scene.boxes, 2):
        if overlap(rectangle(a), rectangle(b)):
            yield f"boxes {a.name} and {b.name} overlap"


def overlapping_texts(scene: Scene) -> Iterator[str]:
    for a, b in itertools.combinations(scene.texts, 2):
        if overlap(a.extent, b.extent):
            yield f"texts {a.text} and {b.text} overlap"


def texts_over_borders(scene: Scene) -> Iterator[str]:
    """A text lies within one box or outside all of them."""
    for text, box in itertools.product(scene.texts, scene.boxes):
        within = inside(text.extent, rectangle(box)) and not box.is_circle
        if overlap(text.extent, rectangle(box)) and not within:
            yield f"text {text.text} crosses the border of {box.name}"


def shrunk(a: Rectangle, by: float) -> Rectangle:
    return a[0] + by, a[1] + by, a[2] - by, a[3] - by


def enters(path: Path, area: Rectangle) -> bool:
    """Whether the path passes through a rectangle, its border excepted."""
    line = polyline(path)
    low, high = np.min(line, axis=0), np.max(line, axis=0)
    if low[0] >= area[2] or high[0] <= area[0] or low[1] >= area[3] or high[1] <= area[1]:
        return False
    corners = [(area[i], area[j]) for i, j in ((0, 1), (2, 1), (2, 3), (0, 3))]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    return any(area[0] < x < area[2] and area[1] < y < area[3] for x, y in line) or any(
        cut(a, b, *side) for a, b in itertools.pairwise(line) for side in sides
    )


@functools.lru_cache(maxsize=512)
def polyline(path: Path) -> list[Point]:
    return path.polyline(37)


def cut(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two straight pieces cross in a point inside both."""

    def side(p: Point, q: Point, r: Point) -> float:
        area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        return 0.0 if abs(area) < 1e-7 else area

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def paths_over_boxes(scene: Scene) -> Iterator[str]:
    """No path enters a box: its own it only touches, all others it keeps away from."""
    for path, box in itertools.product(scene.paths, scene.boxes):
        own = box.name == path.target or (path.starts_at_source and box.name == path.source)
        if enters(path, shrunk(rectangle(box), 0.01 if own else -2.0)):
            yield f"the path from {path.source} to {path.target} runs into {box.name}"


def paths_over_texts(scene: Scene) -> Iterator[str]:
    for path, text in itertools.product(scene.paths, scene.texts):
        if enters(path, text.extent):
            yield f"the path from {path.source} to {path.target} runs over {text.text}"


def crossed(scene: Scene) -> int:
    """How many pairs of paths cross; meeting in a common end is no crossing."""
    lines = [polyline(path) for path in scene.paths]
    spans = [(min(p[0] for p in line), max(p[0] for p in line)) for line in lines]
    count = 0
    for (line, span), (other, other_span) in itertools.combinations(
        zip(lines, spans, strict=True), 2
    ):
        if span[0] <= other_span[1] and other_span[0] <= span[1]:
            count += meet(line, other)
    return count


def meet(line: list[Point], other: list[Point]) -> bool:
    return any(
        cut(a, b, c, d)
        for a, b in itertools.pairwise(line)
        for c, d in itertools.pairwise(other)
        if min(a[1], b[1]) <= max(c[1], d[1]) and min(c[1], d[1]) <= max(a[1], b[1])
    )


# The checker catches what it is for ----------------------------------------------------


@pytest.fixture(scope="module")
def arch0() -> Scene:
    return draw(load("arch0").genotype)


def changed_box(scene: Scene, name: str, **changes: float) -> Scene:
    boxes = tuple(replace(b, **changes) if b.name == name else b for b in scene.boxes)
    return replace(scene, boxes=boxes)


def test_the_checker_sees_boxes_and_texts_that_overlap(arch0: Scene) -> None:
    first, second = arch0.boxes[:2]
    assert faults(arch0) == []
    moved = changed_box(arch0, first.name, x=second.x - 20.0)
    assert any("boxes" in fault for fault in faults(moved))
    double = replace(arch0.texts[0], x=arch0.texts[0].x + 3)
    assert any("texts" in f for f in faults(replace(arch0, texts=(*arch0.texts, double))))
    wider = replace(arch0.texts[0], text="much too long for this box")
    assert any("border" in f for f in faults(replace(arch0, texts=(wider, *arch0.texts[1:]))))
    assert any("sheet" in f for f in faults(replace(arch0, width=arch0.width / 2)))


def test_the_checker_sees_a_path_through_a_box_and_over_a_text(arch0: Scene) -> None:
    a, b = arch0.box["0/0"], arch0.box["0/2"]
    line = straight((a.x + a.width / 2, a.y), (b.x - b.width / 2, b.y), a.name, b.name)
    found = faults(replace(arch0, paths=(*arch0.paths, line)))
    assert any("runs into 0/1" in fault for fault in found)
    assert any("runs over stride 8" in fault for fault in found)


def test_the_checker_sees_a_path_that_leaves_from_inside_its_box(arch0: Scene) -> None:
    first = arch0.paths[0]
    x, y = first.points[0]
    sunk = replace(first, points=((x, y + 5), *first.points[1:]))
    found = faults(replace(arch0, paths=(sunk, *arch0.paths[1:])))
    assert any("runs into" in fault for fault in found)


def test_the_checker_counts_a_crossing(arch0: Scene) -> None:
    across = straight((0.0, arch0.height / 2), (arch0.width, arch0.height / 2), "a", "b")
    assert crossed(replace(arch0, paths=(*arch0.paths, across))) > crossed(arch0) + 4


# The pictures --------------------------------------------------------------------------


@pytest.mark.parametrize("every_sum", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_published_architectures_are_drawn_without_fault(name: str, every_sum: bool) -> None:
    scene = draw(load(name).genotype, every_sum=every_sum)
    assert faults(scene) == []


@settings(max_examples=12, deadline=None)
@given(genotypes(), st.booleans())
def test_any_genotype_is_drawn_without_fault(genotype: Genotype, every_sum: bool) -> None:
    scene = draw(genotype, every_sum=every_sum)
    assert faults(scene) == []
    shown = [connections_diagram(genotype), cell_diagram(genotype, every_sum)]
    assert edges_of(scene) == sorted(
        (f"{side}/{low}", f"{side}/{high}")
        for side, diagram in enumerate(shown)
        for low, high in (*diagram.edges, *itertools.pairwise(diagram.row))
    )


def edges_of(scene: Scene) -> list[tuple[str, str]]:
    """Which box each arrow comes from, read off the picture: back along the forks."""
    into = {path.points[-1]: path for path in scene.paths if path.target is None}
    found = []
    for path in scene.paths:
        if path.target is None:
            continue
        back = path
        while not back.starts_at_source:
            back = into[back.points[0]]
        assert touches(back.points[0], scene.box[back.source])
        assert touches(path.points[-1], scene.box[path.target])
        found.append((back.source, path.target))
    return sorted(found)


def touches(point: Point, box: Box) -> bool:
    left, top, right, bottom = rectangle(box)
    near = [abs(point[0] - left), abs(point[0] - right), abs(point[1] - top)]
    return min(*near, abs(point[1] - bottom)) < 1e-6 and (
        left - 1e-6 <= point[0] <= right + 1e-6 and top - 1e-6 <= point[1] <= bottom + 1e-6
    )


def test_a_large_architecture_is_drawn_without_fault_and_soon() -> None:
    genotype = SearchSpace(6, 8, 8).sample(random.Random(0))
    assert faults(draw(genotype)) == []


def test_the_same_genotype_gives_the_same_picture_in_every_process() -> None:
    program = (
        "import hashlib; from genotype.zoo import load; from genotype.drawing import draw;"
        "from genotype.pictures import svg;"
        "print(hashlib.sha256(svg(draw(load('arch2').genotype)).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


# Crossings -----------------------------------------------------------------------------


def fewest(layers: Layers, segments: Segments, fixed: frozenset[int]) -> int:
    """The least number of crossings over all orders of all layers, exhaustively.

    Layer by layer: the best total for every order of a layer follows from the best
    totals for every order of the layer below. With an order written as the signs of all
    its pairs, the crossings between two orders are a bilinear form of the two.
    """
    orders = [
        [layer] if i in fixed else list(itertools.permutations(layer))
        for i, layer in enumerate(layers)
    ]
    best = np.zeros(len(orders[0]))
    for i, (low, high) in enumerate(itertools.pairwise(layers)):
        edges = [(low.index(a), high.index(b)) for a, b in segments if a in low]
        form = np.zeros((len(low), len(low), len(high), len(high)))
        for (a, b), (c, d) in itertools.combinations(edges, 2):
            form[a, c, b, d] += 1
        opposite = form.sum() - np.einsum(
            "pac,acbd,qbd->pq",
            signs(low, orders[i]),
            form,
            signs(high, orders[i + 1]),
            optimize=True,
        )
        same_end = sum(a == c or b == d for (a, b), (c, d) in itertools.combinations(edges, 2))
        best = (best[:, None] + (opposite - same_end) / 2).min(axis=0)
    return round(best.min())


def signs(layer: tuple[str, ...], orders: list[tuple[str, ...]]) -> np.ndarray:
    """Per order and two nodes of the layer: +1 when the second stands right, -1 left."""
    places = np.array([[order.index(name) for name in layer] for order in orders])
    return np.sign(places[:, None, :] - places[:, :, None]).astype(float)


def graph_of(diagram: Diagram) -> Graph:
    widths = {name: 20 + text_width(node.label, 11.0) for name, node in diagram.nodes.items()}
    return Graph(widths, diagram.edges, diagram.row)


def test_exhaustive_search_finds_known_minima() -> None:
    complete = [(a, b) for a in "abc" for b in "xyz"]
    assert fewest((("a", "b", "c"), ("x", "y", "z")), complete, frozenset()) == 9
    swapped = [("a", "y"), ("b", "x")]
    assert fewest((("a", "b"), ("x", "y")), swapped, frozenset()) == 0
    assert fewest((("a", "b"), ("x", "y")), swapped, frozenset({0, 1})) == 1


@pytest.mark.parametrize(
    ("name", "decoder", "cell", "every_sum"),
    [("arch0", 1, 0, 0), ("arch1", 1, 0, 1), ("arch2", 1, 0, 2)],
)
def test_crossings_of_the_published_architectures_are_the_fewest(
    name: str, decoder: int, cell: int, every_sum: int
) -> None:
    """With exhaustive search over the orders, for the layers drawn.

    One crossing in each decoder cannot be avoided by other layers either: a block on two
    encoder outputs and the row below them enclose an output between the two, whose line
    to the classifier, high above, has to get out.
    """
    genotype = load(name).genotype
    for diagram, expected in (
        (connections_diagram(genotype), decoder),
        (cell_diagram(genotype), cell),
        (cell_diagram(genotype, every_sum=True), every_sum),
    ):
        graph = graph_of(diagram)
        layout = lay_out(graph)
        assert layout.crossings == expected
        assert crossings(layout.layers, layout.segments) == expected
        assert fewest(layout.layers, layout.segments, graph.fixed) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_crossings_seen_are_the_crossings_counted(name: str) -> None:
    genotype = load(name).genotype
    assert crossed(draw_connections(genotype)) == 1
    assert crossed(draw_cell(genotype)) == 0
    assert crossed(draw(genotype)) == 1


@pytest.mark.parametrize("seed", range(10))
def test_crossings_of_random_architectures_are_the_fewest(seed: int) -> None:
    genotype = SearchSpace.cvpr2019().sample(random.Random(seed))
    for diagram in (connections_diagram(genotype), cell_diagram(genotype, every_sum=True)):
        graph = graph_of(diagram)
        layout = lay_out(graph)
        if max(map(len, layout.layers)) <= 6:
            assert fewest(layout.layers, layout.segments, graph.fixed) == layout.crossings


def test_a_fixed_layer_keeps_its_order() -> None:
    layers = (("a", "b", "c"), ("x", "y", "z"))
    segments = [("a", "z"), ("b", "y"), ("c", "x")]
    (found, *_) = orderings(layers, segments, frozenset({0}))
    assert found == (("a", "b", "c"), ("z", "y", "x"))
    (found, *_) = orderings(layers, segments, frozenset({0, 1}))
    assert crossings(found, segments) == 3


@pytest.mark.parametrize("edges", [(), (("a", "b"), ("b", "a"))])
def test_what_cannot_be_laid_out_is_refused(edges: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match=r"edges|cycle"):
        lay_out(Graph({"a": 1.0, "b": 1.0}, edges))


# What is shown -------------------------------------------------------------------------


def test_the_cell_of_arch0_is_the_papers() -> None:
    diagram = cell_diagram(load("arch0").genotype)
    labels = {name: node.label for name, node in diagram.nodes.items()}
    assert labels == {
        "0": "input",
        "1": "sep5x5 rate 6",
        "2": "conv3x3 rate 3",
        "3": "sep3x3",
        "5": "sep5x5 rate 6",
        "6": "sep5x5 rate 6",
        "8": "conv3x3",
        "9": "gap",
        "sum": "",
        "output": "output",
    }
    assert sorted(diagram.edges) == sorted(
        [("0", n) for n in "12358"]
        + [("2", "6"), ("5", "9"), ("sum", "output")]
        + [(n, "sum") for n in "1235689"]
    )
    assert all(node.live for node in diagram.nodes.values())


def test_every_sum_shows_those_that_only_the_output_uses() -> None:
    diagram = cell_diagram(load("arch0").genotype, every_sum=True)
    assert [low for low, high in diagram.edges if high == "sum"] == ["1", "4", "7", "10"]
    assert [low for low, high in diagram.edges if high == "7"] == ["5", "6"]


def test_the_decoder_of_arch2_is_the_papers() -> None:
    diagram = connections_diagram(load("arch2").genotype)
    assert [diagram.nodes[str(i)].label for i in range(4)] == [
        "stride 4", "stride 8", "stride 16", "stride 32",
    ]  # fmt: skip
    assert [name for name, node in diagram.nodes.items() if not node.live] == ["0"]
    operands = {
        total: [diagram_source(diagram, cell) for cell, high in diagram.edges if high == total]
        for total in "456"
    }
    assert operands == {"4": ["1", "3"], "5": ["4", "3"], "6": ["2", "2"]}
    assert [low for low, high in diagram.edges if high == "concat"] == ["5", "6"]
    assert diagram.edges[-2:] == (("concat", "conv1x1"), ("conv1x1", "classifier"))


def diagram_source(diagram: Diagram, name: str) -> str:
    (source,) = (low for low, high in diagram.edges if high == name)
    return source


def test_a_single_loose_end_needs_neither_concat_nor_sum() -> None:
    text = "[[[0, 1], [4, 2], [5, 3]], [0, [1, 0, 1, 1], [4, 0, 1, 1], [7, 0, 1, 1]]]"
    genotype = parse(text).genotype
    assert "concat" not in connections_diagram(genotype).nodes
    diagram = cell_diagram(genotype)
    assert "sum" not in diagram.nodes
    assert diagram.edges[-1] == ("10", "output")


@pytest.mark.parametrize(
    ("cell", "pale"),
    [
        ("[0, [0, 0, 1, 10], [0, 0, 1, 1], [0, 0, 1, 1]]", {"3"}),
        ("[10, [1, 0, 9, 1], [0, 0, 1, 1], [0, 0, 1, 1]]", {"1", "2"}),
        ("[10, [1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]", {"1"}),
        ("[0, [1, 0, 1, 1], [4, 0, 10, 1], [0, 0, 1, 1]]", {"1", "2", "3", "4", "5"}),
        ("[0, [1, 0, 10, 10], [4, 0, 9, 1], [0, 0, 1, 1]]", {"1", "2", "3", "4", "5"}),
    ],
)
def test_what_the_output_does_not_depend_on_is_pale(cell: str, pale: set[str]) -> None:
    genotype = parse(f"[[[0, 1], [2, 3], [0, 0]], {cell}]").genotype
    diagram = cell_diagram(genotype)
    assert {name for name, node in diagram.nodes.items() if not node.live} == pale
    scene = draw_cell(genotype)
    assert {box.name[2:] for box in scene.boxes if not box.live} == pale
    for path in scene.paths:
        if path.target is not None:
            ends = {path.source[2:], path.target[2:]}
            assert path.live == (not ends & pale), path


def test_nothing_but_zeros_leaves_the_output_alone() -> None:
    zero = "[10, [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]"
    diagram = cell_diagram(parse(f"[[[0, 1], [2, 3], [0, 0]], {zero}]").genotype)
    assert [name for name, node in diagram.nodes.items() if node.live] == ["output"]


def test_kinds_come_from_the_primitives() -> None:
    kinds = [operation_kind(row) for row in CVPR2019]
    assert kinds == ["conv"] * 2 + ["sep"] * 2 + ["gap", "conv", "conv", "sep", "sep"] + [
        "skip",
        "zero",
    ]


def test_strides_are_given_numbered_or_refused() -> None:
    genotype = SearchSpace(5, 2, 1).sample(random.Random(0))
    texts = {text.text for text in draw_connections(genotype).texts}
    assert "output 4" in texts
    texts = {text.text for text in draw_connections(genotype, (2, 4, 8, 16, 32)).texts}
    assert {"stride 2", "stride 32"} <= texts
    with pytest.raises(GenotypeError, match="strides: 1 of them, expected 5"):
        draw(genotype, (4,))


def test_a_genotype_outside_its_space_is_refused() -> None:
    broken = replace(load("arch0").genotype, connections=((0, 9), (0, 0), (0, 0)))
    for function in (draw, draw_cell, draw_connections):
        with pytest.raises(GenotypeError, match="9 is not in"):
            function(broken)


# Files ---------------------------------------------------------------------------------


def odd_genotype() -> Genotype:
    rows = (
        Operation("odd", '<b> & "quoted" \x07', "", CVPR2019[0].steps),
        Operation("long", "long" * 30, "", CVPR2019[2].steps),
        Operation("two words", "卷积 " + "x" * 40, "", CVPR2019[4].steps),
    )
    space = SearchSpace(4, 1, 2, Vocabulary(rows))
    return space.genotype([0, 1, 0, 0, 1, 1, 2, 2, 3, 0, 2])


def test_an_svg_is_well_formed_and_can_stand_twice_in_a_page() -> None:
    for genotype in (load("arch1").genotype, odd_genotype()):
        text = svg(draw(genotype))
        root = ET.fromstring(text)
        tags = [element.tag.rpartition("}")[2] for element in root.iter()]
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert tags.count("text") == len(draw(genotype).texts)
        assert " id=" not in text
        assert "url(" not in text
        assert str(genotype) in text


def test_odd_names_are_drawn_without_fault(tmp_path: File) -> None:
    scene = draw(odd_genotype())
    assert faults(scene) == []
    save(scene, tmp_path / "odd.png")


def test_a_png_is_the_same_every_time_and_shows_the_colours(tmp_path: File) -> None:
    image = pytest.importorskip("PIL.Image")
    scene = draw(load("arch0").genotype)
    save(scene, tmp_path / "a.png")
    save(scene, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with image.open(tmp_path / "a.png") as picture:
        assert picture.size == (round(2 * scene.width), round(2 * scene.height))
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for box in scene.boxes:
        x, y = round(2 * (box.x + box.width / 2 - 6)), round(2 * (box.y + box.height / 2 - 4))
        assert (pixels[y, x].min() < 255) == (not box.is_circle), box
    assert (pixels[:4] == 255).all()
    assert (pixels.max(axis=2) < 100).sum() > 1000


def test_a_huge_picture_is_drawn_smaller() -> None:
    pytest.importorskip("PIL")
    scene = Scene(1e4, 1e4, (), (), (Text("a", 50, 50, 10),))
    assert render(scene).size[0] < 5000


def test_without_pillow_the_error_says_what_to_do(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    scene = draw(load("arch0").genotype)
    with pytest.raises(ImportError, match=r"pip install 'auxnas\[torch\]', or write an \.svg"):
        save(scene, tmp_path / "a.png")
    save(scene, tmp_path / "a.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize("name", ["a.pdf", "a"])
def test_another_suffix_is_refused(tmp_path: File, name: str) -> None:
    with pytest.raises(ValueError, match=r"expected \.svg or \.png"):
        save(draw(load("arch0").genotype), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=2, max_size=6),
    st.floats(0.5, 9),
    st.floats(0.5, 9),
)
def test_dashes_cover_their_share_of_the_line(points: list[Point], on: float, off: float) -> None:
    def length(line: list[Point]) -> float:
        return sum(
            ((a - c) ** 2 + (b - d) ** 2) ** 0.5 for (a, b), (c, d) in itertools.pairwise(line)
        )

    whole = length(points)
    periods, rest = divmod(whole, on + off)
    drawn = sum(map(length, dashes(points, on, off)))
    assert drawn == pytest.approx(periods * on + min(rest, on), abs=1e-6 * (1 + whole) + on * 1e-6)
