"""Options that several of nasrun's commands have."""

from __future__ import annotations

import click

from auxnas.options import SizeType, part_option, threads_option, trust_value

threads = threads_option("the runtime's")
size = click.option(
    "--input-size",
    type=SizeType(),
    help="Image height and width.  [default: 512x512, where the artefact takes any]",
)

vocabulary = part_option("vocabulary")
target = click.option(
    "--target",
    metavar="NAME",
    callback=trust_value,
    help="What ARTEFACT was made as: nascompile's --target.  [default: by its suffix]",
)
