"""``help`` of what is public can be read: no default or constant floods it."""

from __future__ import annotations

import importlib
import inspect
import pydoc

import pytest

from auxnas.genotype import CVPR2019, SearchSpace

PUBLIC = [
    (package, name)
    for package in ("auxnas.genotype", "auxnas.compiler", "auxnas.compiler.passes")
    for name in importlib.import_module(package).__all__
    if inspect.isclass(getattr(importlib.import_module(package), name))
    or inspect.isfunction(getattr(importlib.import_module(package), name))
]


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_no_line_of_help_is_flooded(package, name):
    found = getattr(importlib.import_module(package), name)
    defaults = [p.default for p in inspect.signature(found).parameters.values()]
    assert max((len(repr(default)) for default in defaults), default=0) < 120
    assert max(map(len, pydoc.plain(pydoc.render_doc(found)).splitlines())) < 900


def test_a_vocabulary_shows_its_names():
    assert repr(CVPR2019).startswith("<Vocabulary of 11: conv1x1, conv3x3, sep3x3, ")
    assert len(repr(CVPR2019)) < 100
    assert "vocabulary: 'Vocabulary' = <Vocabulary of 11" in str(inspect.signature(SearchSpace))
    assert len(PUBLIC) > 40
