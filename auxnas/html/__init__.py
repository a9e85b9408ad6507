"""A run as one HTML page that needs nothing else: no network, no script, no other file.

Needs matplotlib and jinja2 (the extra ``report``): import it where it is wanted, not before.
"""

from auxnas.html.page import write_report

__all__ = ["write_report"]
