"""Errors of a study's database, each as one line that tells no password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from auxnas.genotype.errors import inline
from auxnas.search.errors import RequestError

_TOLD = 160
"""Characters of a driver's own error that are repeated."""
_ADDRESS = "sqlite:///study.db, or DATABASE://USER:PASSWORD@HOST:PORT/NAME"
_SECRET = r"(?i:\w*(?:pass|pwd|secret|token|key|odbc)\w*=)"
"""Key of an address whose value is told to nobody, as a pattern."""
_DRIVERS = {
    "psycopg": 'pip install "psycopg[binary]"',
    "psycopg2": "pip install psycopg2-binary",
    "MySQLdb": "pip install mysqlclient, or pip install pymysql and mysql+pymysql://",
    "pymysql": "pip install pymysql",
    "pyodbc": "pip install pyodbc",
    "oracledb": "pip install oracledb",
}
"""Commands that install drivers, by the modules that are missing."""
_SAID = (
    ("locked", "another program writes to it", "it to end, or another database"),
    ("read-?only", "it can only be read", "permission to write the file and its folder"),
    ("file is not a database", "a file of something else", "a new one, or one of SQLite"),
    ("disk is full|no space", "no room is left", "room on the disk, or a database elsewhere"),
    (
        "refused|translate host|name or service|not known|timed? ?out|unreachable|can't connect"
        "|getaddrinfo|no route|resolution",
        "the server cannot be reached",
        "one that listens there: are host and port right?",
    ),
    (
        "authentication|access denied|permission|privilege|password|role .* does not exist",
        "the server gives no permission",
        "a user and a password that may write there",
    ),
    (
        "database .* does not exist|unknown database",
        "the server has no such database",
        "one that is there, if empty: its tables are made, but not the database",
    ),
)
"""Words in drivers' errors, what they mean, and what would be right."""


def shown_address(url: str) -> str:
    """An address of a database without its password, as much as a message repeats."""
    hidden = re.sub(r"(://[^@:/?]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    hidden = re.sub(r"(://[^@:/?]*):(?!\*{3}@|\d+(?:[/?]|$))[^/?]*", r"\1:***", hidden)
    return inline(re.sub(rf"({_SECRET})[^&]*", r"\1***", hidden), 80)


def parsed_address(url: str) -> Any:
    """The parts of an address, as SQLAlchemy reads them.

    Raises:
        RequestError: for none, or one of a database that would be gone afterwards.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        expected = f"{_ADDRESS}; in a password %40 for @, %3A for : and %2F for /"
        raise _error(url, "no address of a database", expected) from None
    if found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:"):
        raise _error(url, "a database in memory, which is gone afterwards", "sqlite:///study.db")
    return found


def database_error(url: str, address: Any, error: BaseException) -> RequestError:
    """The error of a database that cannot be used.

    Args:
        url: as it was given.
        address: its parts.
        error: of SQLAlchemy, of optuna, or of an import.
    """
    return _error(url, *_words(url, address, error))


def _without_secrets(text: str, url: str) -> str:
    """A driver's words without the password and the secrets of an address, quoted or not."""
    given = re.findall(r"://[^:/]*:([^@]*)@", url) + re.findall(f"{_SECRET}([^&]*)", url)
    plain = {way(each) for each in given for way in (unquote, unquote_plus)}
    quoted = {way(each, safe="") for each in plain for way in (quote, quote_plus)}
    for secret in sorted({*given, *plain, *quoted} - {""}, key=lambda each: (-len(each), each)):
        text = text.replace(secret, "***")
    return text


def _error(url: str, found: str, expected: str) -> RequestError:
    return RequestError(f"--optuna {shown_address(url)}", found, expected)


def _words(url: str, address: Any, error: BaseException) -> tuple[str, str]:
    """Words on what was found, and what was expected."""
    from sqlalchemy.exc import NoSuchModuleError

    if isinstance(error, ModuleNotFoundError):
        name = str(error.name)
        return f"its driver {name} is not installed", _DRIVERS.get(name, f"pip install {name}")
    if isinstance(error, NoSuchModuleError):
        return f"no kind of database {address.drivername}", "sqlite, postgresql or mysql"
    told = _told(error)
    words, text = inline(told, _TOLD), inline(_without_secrets(told, url), _TOLD)
    if address.get_backend_name() == "sqlite" and "unable to open" in words:
        return _unopened(Path(str(address.database)))
    for pattern, meaning, expected in _SAID:
        if re.search(pattern, words, re.IGNORECASE):
            return f"{meaning} ({text})", expected
    return text, _ADDRESS


def _told(error: BaseException) -> str:
    """A driver's own words where it said some."""
    from sqlalchemy.exc import DBAPIError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError) and cause.orig is not None:
            return str(cause.orig)
        cause = cause.__cause__ or cause.__context__
    return str(error)


def _unopened(path: Path) -> tuple[str, str]:
    """Words on a file that SQLite cannot open."""
    if path.is_dir():
        return f"{path} is a folder", "the name of a file"
    if not path.parent.is_dir():
        return f"no folder {path.parent}", "one that is there"
    return f"{path} cannot be opened", "a file that may be read and written, in such a folder"
