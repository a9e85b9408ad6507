"""Subcommands of ``nassearch``, a module each; ``search.cli`` puts them together."""
