"""Nested lists read fast: of one space they differ in their numbers only.

With all its numbers replaced by 0 a text is one of two forms, connections or cell first;
what is left are its numbers, in the order of tokens. Any other text is parsed, and what
is wrong with it said, by ``notation.from_value``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import lt

from auxnas.genotype.notation import Document, from_value, load_json
from auxnas.genotype.space import SearchSpace

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,5}")
"""As JSON has integers; a longer one would be two side by side, which is neither form."""


def from_nested(text: str, space: SearchSpace | None) -> Document:
    """``from_value`` of what ``text`` is as JSON.

    Raises:
        GenotypeError: naming the place, what was found and what was expected.
    """
    members = space or SearchSpace.cvpr2019()
    blocks, branches = members.blocks, members.branches
    notation = _forms(blocks, branches).get(_NUMBER.sub("0", text).replace(" ", ""))
    if notation is not None:
        tokens = [int(number) for number in _NUMBER.findall(text)]
        if notation == "cell-first":
            tokens = tokens[-2 * blocks :] + tokens[: -2 * blocks]
        if min(tokens) >= 0 and all(map(lt, tokens, members.sizes)):
            return Document(members.genotype(tokens), notation)
    return from_value(load_json(text), space)


@lru_cache(maxsize=64)
def _forms(blocks: int, branches: int) -> dict[str, str]:
    """The notation of each form of a genotype of these sizes, without spaces."""
    pairs = ",".join(["[0,0]"] * blocks)
    cell = ",".join(["0", *["[0,0,0,0]"] * branches])
    return {f"[[{pairs}],[{cell}]]": "paper", f"[[{cell}],[{pairs}]]": "cell-first"}
