"""An architecture in words: what ``nasspace show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auxnas.compiler.drawing.genotype_diagram import Diagram, cell_diagram, connections_diagram
from auxnas.genotype.genotype import Genotype


def decoder_lines(genotype: Genotype) -> list[str]:
    """One line an encoder output and a block, then the way to the classifier."""
    diagram = connections_diagram(genotype)
    first = genotype.space.encoder_outputs
    lines = [f"{i:>3}  encoder {diagram.nodes[str(i)].label}" for i in range(first)]
    for block, (left, right) in enumerate(genotype.connections, first):
        lines.append(f"{block:>3}  cell({left}) + cell({right})")
    used = {index for pair in genotype.connections for index in pair}
    loose = [str(i) for i in range(first, first + len(genotype.connections)) if i not in used]
    joined = loose[0] if len(loose) == 1 else f"concat({', '.join(loose)})"
    lines.append(f"out  classifier(conv1x1({joined}))")
    return lines + _idle([str(i) for i in range(first) if i not in used], "not used")


def cell_lines(genotype: Genotype) -> list[str]:
    """One line a location, then the output and what it does not depend on."""
    diagram = cell_diagram(genotype, every_sum=True)
    places = [name for name in diagram.nodes if name.isdigit()]
    lines = [f"{name:>3}  {_expression(diagram, name)}" for name in places]
    total = "sum" if "sum" in diagram.nodes else "output"
    lines.append(f"out  {' + '.join(_operands(diagram, total))}")
    idle = [name for name in places if not diagram.nodes[name].live]
    return lines + _idle(idle, "no part in the output")


def _idle(names: Sequence[str], why: str) -> list[str]:
    return [f"     ({why}: {', '.join(names)})"] if names else []


def _expression(diagram: Diagram, name: str) -> str:
    """``conv3x3 (0)``, ``2 + 3`` or ``input``."""
    node, operands = diagram.nodes[name], _operands(diagram, name)
    if node.kind == "sum":
        return " + ".join(operands)
    return f"{node.label} ({operands[0]})" if operands else node.label


def _operands(diagram: Diagram, name: str) -> list[str]:
    return [low for low, high in diagram.edges if high == name]


def space_line(genotype: Genotype) -> str:
    """The sizes of the genotype's space."""
    space = genotype.space
    return (
        f"{space.encoder_outputs} encoder outputs, {space.blocks} blocks, "
        f"{space.branches} branches, {len(space.vocabulary)} operations"
    )


def sections(genotype: Genotype) -> Iterator[str]:
    """The whole listing, line by line."""
    yield f"genotype  {genotype}"
    yield f"space     {space_line(genotype)}"
    yield ""
    yield "Decoder"
    yield from decoder_lines(genotype)
    yield ""
    yield "Cell"
    yield from cell_lines(genotype)
