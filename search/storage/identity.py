"""Identity of a results folder: written at the beginning, compared when work is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.compiler.files import atomic_write
from auxnas.genotype.texts import parse_json, read_text
from auxnas.search.errors import SettingsError
from auxnas.search.settings.fields import SettingsSection
from auxnas.search.settings.resolving import first_difference
from auxnas.search.storage.environment import package_versions


def write_or_compare(path: Path, settings: SettingsSection, rest: Mapping[str, Any]) -> None:
    """Writes ``path`` where it does not exist yet, else compares with its content.

    Args:
        path: a JSON file in the folder.
        settings: everything that was asked for.
        rest: further inputs of the results, as plain JSON data by name.

    Raises:
        SettingsError: naming the first setting or thing that differs.
    """
    if not path.is_file():
        known = {
            "settings": settings.model_dump(mode="json"),
            **rest,
            "versions": package_versions(),
        }
        write_json(path, known)
        return
    known = parse_json(read_text(path))
    other = first_difference(known["settings"], settings)
    other = other or next((f"the {n} changed" for n in rest if known.get(n) != rest[n]), None)
    if other is not None:
        expected = "what it was begun with, or another --out"
        raise SettingsError(str(path.parent), f"begun as something else: {other}", expected)


def begun_encoder(path: Path) -> str | None:
    """Digest of the encoder that work was begun with, as ``write_or_compare`` kept it."""
    found = parse_json(read_text(path)).get("encoder") if path.is_file() else None
    return found if isinstance(found, str) else None


def write_json(path: Path, value: Any) -> None:
    """Writes a document for people and programs; it appears whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
