"""``nassearch pretrain``: the encoder that searches and trainings start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auxnas.backends.caching import cache_dir
from auxnas.compiler import CompilerError
from auxnas.compiler.files import check_room
from auxnas.compiler.tasks import Task
from auxnas.compiler.weights import load_weights
from auxnas.console import OneLineCommand, print_json, say
from auxnas.nassearch import options
from auxnas.progress import display_on_stderr
from auxnas.search.errors import SettingsError
from auxnas.search.loop.context import RunContext
from auxnas.search.networks.pretrain import pretrained_encoder
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.search import Settings
from auxnas.search.storage.folders import check_no_result

OPTIONS = options.SETTINGS | {
    "epochs": "pretrain.epochs",
    "seed": "pretrain.seed",
}
"""The settings that have an option of their own."""
SUFFIX = ".safetensors"
"""Of a file of weights."""


@click.command(cls=OneLineCommand)
@options.data
@options.preset
@options.classes
@options.size
@options.task
@options.encoder
@options.encoder_weights_begun
@options.depth_scale
@options.label_map
@click.option("--epochs", type=int, metavar="N", help="Passes over the meta-train images.")
@click.option(
    "--seed", type=int, metavar="N", help="Seed of the first weights and of the images' order."
)
@click.option(
    "--out", type=options.PATH, metavar="FILE", required=True, help="File of weights to write."
)
@options.learner
@options.sets
@options.cache
@options.as_json
def pretrain(
    preset: str,
    out: Path,
    cache: Path | None,
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    **named: Any,
) -> int:
    """Train an encoder under a Light-Weight RefineNet decoder, as a search does first.

    Other commands take the file as --encoder-weights, and --teacher of train too. A search
    with the same settings finds the result in the cache. Ctrl-C or a kill loses about a
    minute; the same command goes on.
    """
    options.require_data(out, named, sets)
    layers = [PRESETS[options.known_preset(preset)]]
    settings = options.settings_of(Settings, layers, OPTIONS, named, sets)
    context = RunContext(settings, out.parent, cache_dir(cache), display_on_stderr())

    check_room(out.parent)
    _check_out(out)

    def work() -> int:
        context.data.check_enough_data(context.data.search_split)
        job = context.model.pretraining
        context.display.say(f"an encoder of {job.spec.find_encoder().name}, on {job.learner.where}")
        encoder = pretrained_encoder(job, out, context.cache, context.display)
        score = job.score(encoder.params)
        found = {
            "weights": str(out),
            "images": {"train": len(job.train), "val": len(job.val)},
            "reward": score.reward,
            **score.metrics,
        }
        print_json(found) if as_json else _print(found, job.task)
        return 0

    return options.run_resumable(work, "the same command goes on from about a minute ago")


def _check_out(out: Path) -> None:
    """Checks that nothing but an earlier pre-training's encoder is written over."""
    if out.suffix != SUFFIX:
        raise click.BadParameter(
            f"{out}, expected a name that ends in {SUFFIX}", param_hint="--out"
        )
    check_no_result(out, "--out")
    if not out.exists():
        return
    expected = "an encoder of pretrain there, or another --out"
    try:
        _, metadata = load_weights(out)
    except CompilerError as error:
        raise SettingsError("--out", str(error), expected) from None
    if "pretrain" not in metadata:
        raise SettingsError("--out", f"{out} is there and no encoder of pretrain", expected)


def _print(found: dict[str, Any], task: Task) -> None:
    scores = ", ".join(
        f"{m.title} {found[name]:.4f}" for name, m in task.metrics.items() if name in found
    )
    say(f"{scores} on {found['images']['val']} images of meta-val, with its own decoder")
    say(found["weights"])
