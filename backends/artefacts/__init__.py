"""Using an artefact without a training framework: predict, bench, profile, explain."""

from auxnas.backends.artefacts.artefact import Artefact, open_artefact

__all__ = ["Artefact", "open_artefact"]
