"""Variables of MATLAB's older files (version 7 and before, which are not HDF5)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.images.opening import FAULTS, check_regular_file
from auxnas.search.data.errors import DataError


def matlab_variables(
    path: Path, place: str, names: Sequence[str], expected: str
) -> Mapping[str, Any]:
    """Those of the variables ``names`` that a file has, at least one.

    Args:
        path: the file.
        place: how an error names it.
        names: of variables; no other is read.
        expected: the file that would have been right.

    Raises:
        DataError: when it is missing, damaged, of another kind, or has none of them.
        BackendUnavailable: when scipy is not installed.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError:
        raise BackendUnavailable(path.suffix, "scipy", "mat") from None
    check_regular_file(path, place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: dict[str, Any] = loadmat(path, variable_names=list(names))
    except (*FAULTS, MatReadError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(place, f"cannot be read ({words[:120]})", expected) from error
    known = {name: found[name] for name in names if name in found}
    if not known:
        raise DataError(place, f"no variable {' or '.join(names)} in it", expected)
    return known
