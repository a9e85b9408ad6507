"""``auxnas doctor``: what is installed, what it can do here, and what is in the way.

All but ``cli`` and ``probes`` is of the standard library alone, so that it works where nothing
else does.
"""
