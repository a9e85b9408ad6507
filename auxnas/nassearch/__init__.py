"""Subcommands of ``nassearch``, a module each; ``auxnas.nassearch.cli`` puts them together."""
