"""The space of a run: the paper's, one of other sizes, or one with operations of the user's own."""

from __future__ import annotations

from auxnas.genotype import CVPR2019, GenotypeError, SearchSpace, Vocabulary
from auxnas.genotype.plugins import PluginError
from auxnas.genotype.vocabulary import find_vocabulary
from auxnas.search.errors import SettingsError
from auxnas.search.settings.search import SpaceSettings


def search_space(settings: SpaceSettings) -> SearchSpace:
    """The space that the settings describe.

    Raises:
        SettingsError: for an operation or a vocabulary that there is not.
    """
    vocabulary = _chosen(_vocabulary(settings.vocabulary), settings.operations)
    sizes = settings.model_dump(include={"encoder_outputs", "blocks", "branches"})
    space = SearchSpace(**sizes, vocabulary=vocabulary)
    return SearchSpace.cvpr2019() if space == SearchSpace.cvpr2019() else space


def _vocabulary(name: str | None) -> Vocabulary:
    if name is None:
        return CVPR2019
    try:
        return find_vocabulary(name)
    except PluginError as error:
        raise SettingsError("space.vocabulary", error.found, error.expected) from None
    except GenotypeError as error:
        raise SettingsError("space.vocabulary", error.found, error.expected) from None


def _chosen(vocabulary: Vocabulary, names: tuple[str, ...] | None) -> Vocabulary:
    """The rows with these names, in this order; all of them for None."""
    if names is None:
        return vocabulary
    try:
        return vocabulary.chosen(names)
    except GenotypeError as error:
        raise SettingsError("space.operations", error.found, error.expected) from None
