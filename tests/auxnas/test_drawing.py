"""The picture files."""

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.compiler.drawing.genotype_drawing import draw_genotype
from auxnas.compiler.drawing.scene import Point, Scene, Text
from auxnas.drawing import dashes, render_image, save, svg
from auxnas.genotype import CVPR2019, Genotype, Operation, SearchSpace, Vocabulary
from auxnas.genotype.zoo import load_published
from tests.compiler.drawing.scenes import faults


def odd_genotype() -> Genotype:
    rows = (
        Operation("odd", '<b> & "quoted" \x07', "", CVPR2019[0].steps),
        Operation("long", "long" * 30, "", CVPR2019[2].steps),
        Operation("two words", "卷积 " + "x" * 40, "", CVPR2019[4].steps),
    )
    space = SearchSpace(4, 1, 2, Vocabulary(rows))
    return space.genotype([0, 1, 0, 0, 1, 1, 2, 2, 3, 0, 2])


def test_an_svg_is_well_formed_and_can_stand_twice_in_a_page() -> None:
    for genotype in (load_published("arch1").genotype, odd_genotype()):
        text = svg(draw_genotype(genotype))
        root = ET.fromstring(text)
        tags = [element.tag.rpartition("}")[2] for element in root.iter()]
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert tags.count("text") == len(draw_genotype(genotype).texts)
        assert " id=" not in text
        assert "url(" not in text
        assert str(genotype) in text


def test_odd_names_are_drawn_without_fault(tmp_path: File) -> None:
    scene = draw_genotype(odd_genotype())
    assert faults(scene) == []
    save(scene, tmp_path / "odd.png")


def test_a_png_is_the_same_every_time_and_shows_the_colours(tmp_path: File) -> None:
    scene = draw_genotype(load_published("arch0").genotype)
    save(scene, tmp_path / "a.png")
    save(scene, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (round(2 * scene.width), round(2 * scene.height))
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for box in scene.boxes:
        x, y = round(2 * (box.x + box.width / 2 - 6)), round(2 * (box.y + box.height / 2 - 4))
        assert (pixels[y, x].min() < 255) == (not box.is_circle), box
    assert (pixels[:4] == 255).all()
    assert (pixels.max(axis=2) < 100).sum() > 1000


def test_a_huge_picture_is_drawn_smaller() -> None:
    scene = Scene(1e4, 1e4, (), (), (Text("a", 50, 50, 10),))
    assert render_image(scene).size[0] < 5000


@pytest.mark.parametrize("name", ["a.pdf", "a"])
def test_another_suffix_is_refused(tmp_path: File, name: str) -> None:
    with pytest.raises(ValueError, match=r"expected \.svg or \.png"):
        save(draw_genotype(load_published("arch0").genotype), tmp_path / name)
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
