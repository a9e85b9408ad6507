"""Completion of command lines by bash, zsh and fish, out of a table made beforehand.

A shell waits for every press of a key: importing the commands would take ten times as long as
reading ``table.json``, which ``python -m auxnas.completion.table`` writes.
"""
