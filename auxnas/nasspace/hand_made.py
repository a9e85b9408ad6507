"""``nasspace show`` of a hand-made network, which is no genotype of a space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from auxnas.compiler import ModelSpec, cost
from auxnas.compiler.architecture import Architecture, blueprint_of, lower_architecture
from auxnas.compiler.encoders import DEFAULT
from auxnas.console import note, print_json, say

_SIZE = (512, 512)
"""Of the image that costs are given and shapes are drawn for."""


def describe_hand_made(made: Architecture) -> dict[str, Any]:
    """Its encoder and costs with 21 outputs, as plain data."""
    spec = _spec(made)
    found = cost(lower_architecture(made, spec), _SIZE)
    return {
        "name": str(made),
        "title": blueprint_of(made).title,
        "encoder": spec.encoder,
        "classes": spec.classes,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "input_size": list(_SIZE),
        "output_size": list(found.output_size),
    }


def hand_made_lines(known: dict[str, Any]) -> list[str]:
    """A description in words."""
    (height, width), (rows, columns) = known["input_size"], known["output_size"]
    return [
        f"{known['name']}: {known['title']}, made by hand: no genotype of a space, so without keys",
        f"encoder        {known['encoder']}",
        f"parameters     {known['parameters']:,} with {known['classes']} outputs",
        f"multiply-adds  {known['multiply_adds'] / 1e9:.3f}e9 (convolutions) for an image of "
        f"{height}x{width}, output {rows}x{columns}",
    ]


def show_hand_made(made: Architecture, picture: Path | None, as_json: bool) -> None:
    """Prints its description, and draws it where a picture is asked for."""
    if picture is not None:
        from auxnas.compiler.drawing.network_drawing import draw_network
        from auxnas.drawing import save

        save(draw_network(lower_architecture(made, _spec(made)), _SIZE, made), picture)
        note(f"wrote {picture}")
    known = describe_hand_made(made)
    print_json(known) if as_json else say("\n".join(hand_made_lines(known)))


def _spec(made: Architecture) -> ModelSpec:
    return ModelSpec(encoder=blueprint_of(made).encoder or DEFAULT)
