"""Places of nodes in a network, read off their names.

Names are given by ``compiler.lowering`` and kept, or extended behind, by the passes, so
that the longest known beginning of a name tells the place. Blocks count from 1 here, as
people count them: ``decoder.block2`` is block 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from auxnas.compiler.architecture import Architecture, blueprint_of

SIZES = ".sizes."
"""In the names of ONNX nodes that compute sizes at run time, behind the map's."""
OVERHEAD, UNMATCHED = "overhead", "unmatched"


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a node: the part of the network that it belongs to.

    Attributes:
        group: ``encoder``, ``adapters``, ``decoder block 3``, ``classifier``, ``input``,
            ``output``, ``overhead`` or ``unmatched``.
        label: the same in detail: ``cell.branch1.op1 sep5x5 rate 6, block 3 left``.
        operation: of the cell, over all blocks: ``cell.branch1.op1 sep5x5 rate 6``; None
            elsewhere.
    """

    group: str
    label: str
    operation: str | None = None


_BLOCK = re.compile(r"decoder\.block(\d+)\.(?:(left|right)\b\.?)?(.*)")
_OPERATION = re.compile(r"(first|branch\d+\.op\d+|branch\d+\.sum|agg|sum)\b")
_ELSEWHERE = (
    (re.compile(r"encoder\.layer(\d+)\b"), "encoder", "encoder layer {}"),
    (re.compile(r"encoder\.(?:blocks|stages)\.(\d+)\b"), "encoder", "encoder stage {}"),
    (re.compile(r"encoder\b"), "encoder", "encoder"),
    (re.compile(r"decoder\.adapt(\d+)\b"), "adapters", "adapter {}"),
    (re.compile(r"decoder\.(pre_clf|clf|concat\d+)\b"), "classifier", "classifier {}"),
    (re.compile(r"refinenet\.(clf)\b"), "classifier", "classifier {}"),
    (re.compile(r"(?:decoder|refinenet)\.([a-z]+\d*(?:\.[a-z]+\d*)?)(?=\.)"), "decoder", "{}"),
    (re.compile(r"(?:decoder|refinenet)\b"), "decoder", "decoder"),
    (re.compile(r"(?:image|input)\b"), "input", "input"),
    (re.compile(r"output\b|\w+\.output$"), "output", "output"),
)
_AROUND = {"agg": "1x1 after the cell", "sum": "cell sum", "": "cell"}


class Places:
    """Places in the network of one architecture.

    Args:
        architecture: a genotype gives the cell's operations their names; None where it is not
            known.
    """

    def __init__(self, architecture: Architecture | None = None) -> None:
        self.genotype = None if architecture is None else blueprint_of(architecture).genotype

    def of(self, name: str) -> Place | None:
        """The place of a node of this name; None for a name that is not of this scheme."""
        if SIZES in name:
            return Place(OVERHEAD, "sizes at run time")
        match = _BLOCK.match(name)
        if match:
            return self._in_block(int(match[1]) + 1, match[2], match[3])
        for pattern, group, label in _ELSEWHERE:
            match = pattern.match(name)
            if match:
                return Place(group, label.format(*match.groups()))
        return None

    def _in_block(self, block: int, side: str | None, rest: str) -> Place:
        group = f"decoder block {block}"
        if side is None:
            return Place(group, f"block {block}, joining its sides")
        match = _OPERATION.match(rest)
        found = match[1] if match else ""
        if found in _AROUND:
            return Place(group, f"{_AROUND[found]}, block {block} {side}")
        operation = f"cell.{found}{self._named(found)}"
        return Place(group, f"{operation}, block {block} {side}", operation)

    def _named(self, found: str) -> str:
        """The paper's name of the operation at ``first`` or ``branch1.op0``, after a space."""
        index = self._index(found)
        if index is None or self.genotype is None:
            return ""
        return f" {self.genotype.space.vocabulary[index].abbreviation}"

    def _index(self, found: str) -> int | None:
        if self.genotype is None:
            return None
        cell = self.genotype.cell
        if found == "first":
            return cell.first
        branch, _, part = found.removeprefix("branch").partition(".op")
        if not part or int(branch) >= len(cell.branches) or int(part) > 1:
            return None
        return cell.branches[int(branch)][2 + int(part)]
