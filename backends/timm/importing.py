"""timm's networks by name."""

from __future__ import annotations

from difflib import get_close_matches

import timm
from torch import nn

from auxnas.backends.timm.encoder import ImportedNetwork
from auxnas.backends.timm.tracing import trace_network, unfit_network
from auxnas.compiler.encoders.base import Normalisation
from auxnas.genotype.errors import inline
from auxnas.genotype.plugins import PluginError


def import_network(name: str) -> ImportedNetwork:
    """timm's network ``name`` as a graph of ours.

    Raises:
        PluginError: when timm has none or cannot build it, or naming its first operator that no
            primitive stands for.
    """
    features, params = _built(name)
    config = timm.get_pretrained_cfg(name)
    return trace_network(name, features, params, Normalisation(config.mean, config.std))


def _built(name: str) -> tuple[nn.Module, list[str]]:
    """The network that gives its feature maps, and the parameters' names of the whole one."""
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), 3)
        raise PluginError("encoders", f"timm has no {name!r}", ", ".join(near) or "a name of its")
    try:
        return timm.create_model(name, features_only=True), [*timm.create_model(name).state_dict()]
    except Exception as error:  # each network has its own reasons
        raise unfit_network(name, f"gives no feature maps ({inline(str(error))[:200]})") from None
