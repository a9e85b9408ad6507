"""``nasrun``: uses artefacts."""
