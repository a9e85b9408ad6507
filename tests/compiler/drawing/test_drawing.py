"""The pictures, judged from the scene alone: what overlaps, what crosses, what is joined."""

import itertools
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.compiler.drawing.genotype_diagram import cell_diagram, connections_diagram
from auxnas.compiler.drawing.genotype_drawing import draw_cell, draw_connections, draw_genotype
from auxnas.compiler.drawing.scene import Box, Point, Scene, straight
from auxnas.genotype import CVPR2019, Genotype, SearchSpace, Vocabulary
from auxnas.genotype.zoo import NAMES, load_published
from tests.compiler.drawing.scenes import crossed, faults, rectangle

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


@pytest.fixture(scope="module")
def arch0() -> Scene:
    return draw_genotype(load_published("arch0").genotype)


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


@pytest.mark.parametrize("every_sum", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_published_architectures_are_drawn_without_fault(name: str, every_sum: bool) -> None:
    scene = draw_genotype(load_published(name).genotype, every_sum=every_sum)
    assert faults(scene) == []


@settings(max_examples=12, deadline=None)
@given(genotypes(), st.booleans())
def test_any_genotype_is_drawn_without_fault(genotype: Genotype, every_sum: bool) -> None:
    scene = draw_genotype(genotype, every_sum=every_sum)
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
    assert faults(draw_genotype(genotype)) == []


def test_the_same_genotype_gives_the_same_picture_in_every_process() -> None:
    program = (
        "import hashlib; from auxnas.genotype.zoo import load_published;"
        "from auxnas.compiler.drawing.genotype_drawing import draw_genotype;"
        "from auxnas.drawing import svg;"
        "print(hashlib.sha256(svg(draw_genotype(load_published('arch2').genotype)).encode()).hexdigest())"
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


@pytest.mark.parametrize("name", NAMES)
def test_the_crossings_seen_are_the_crossings_counted(name: str) -> None:
    genotype = load_published(name).genotype
    assert crossed(draw_connections(genotype)) == 1
    assert crossed(draw_cell(genotype)) == 0
    assert crossed(draw_genotype(genotype)) == 1
