"""``nasspace show``: one genotype, explained or drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.genotype.genotype import Genotype
from auxnas.genotype.identity import LEVELS
from auxnas.nasspace.options import busy
from auxnas.nasspace.sample import genotype_json
from auxnas.options import DRAWINGS, FileType, json_option


@click.command(cls=OneLineCommand, short_help="Explain or draw one genotype.")
@click.argument("genotype")
@click.option("--picture", type=FileType(*DRAWINGS), help="Draw it too: an .svg or a .png.")
@click.option("--every-sum", is_flag=True, help="Draw the sums that only the output uses.")
@click.option(
    "--all-orbits", is_flag=True, help="The functional orbit too; this takes some seconds."
)
@json_option
def show(
    genotype: str, picture: Path | None, every_sum: bool, all_orbits: bool, as_json: bool
) -> None:
    """Explain GENOTYPE: a file, a published name (arch0, arch1, arch2), or the text itself.

    A hand-made network (lwrf, deeplabv3, ...) is shown with its costs.
    Numbers name encoder outputs and blocks in the decoder, locations in the cell. A key
    is equal for architectures that are the same at its level; the orbit is how many
    sequences of numbers are.
    """
    from auxnas.compiler.architecture import blueprint_of, find_architecture

    document = find_architecture(genotype)
    found = blueprint_of(document.architecture).genotype
    if found is None:
        from auxnas.nasspace.hand_made import show_hand_made

        show_hand_made(document.architecture, picture, as_json)
        return
    if picture is not None:
        _draw(found, picture, every_sum)
    with busy("counting the orbits ...", None if all_orbits else "raw"):
        rows = _identity(found, all_orbits)
    if as_json:
        also = {"read_as": document.format, "extra": dict(document.extra), "levels": rows}
        print_json(genotype_json(found) | also)
        return
    from auxnas import listing

    say("\n".join(listing.sections(found)))
    say("\nKeys")
    for level, row in rows.items():
        size = f"  orbit {row['orbit']:,}" if "orbit" in row else ""
        say(f"{level:<12} {row['key']}{size}")


def _identity(genotype: Genotype, all_orbits: bool) -> dict[str, dict[str, Any]]:
    """The key at each level, and the size of the orbit where that is quick or wanted."""
    rows: dict[str, dict[str, Any]] = {}
    for level in LEVELS:
        rows[level] = {"key": genotype.key(level)}
        if all_orbits or level != "functional":
            rows[level]["orbit"] = genotype.space.orbit_size(genotype, level)
    return rows


def _draw(genotype: Genotype, picture: Path, every_sum: bool) -> None:
    from auxnas.compiler.drawing.genotype_drawing import draw_genotype
    from auxnas.drawing import save

    save(draw_genotype(genotype, every_sum=every_sum), picture)
    note(f"wrote {picture}")
