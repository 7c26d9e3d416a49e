"""Tables and files in object stores, named by a URL that the user gives: ``s3://``, ``gs://``, ``az://`` and the like, through fsspec.

Nothing is fetched but the table of a given URL and files below its folder, or below a folder that is given as a root. Web addresses
(``http://``) are not read. Access is configured as the library of the store expects it: by environment variables or its own files.
"""

from __future__ import annotations

import importlib
import posixpath
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from .errors import ConfigError, MissingDependency

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_LIBRARIES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs",
              "memory": "fsspec"}  # fmt: skip
"""The schemes that are read, and the package that reads each."""
_IN_EXTRA = ("fsspec", "s3fs", "gcsfs")


def scheme_of(text: str) -> str | None:
    """Return the scheme of a URL in lower case; None if the text is none. A path of Windows has no scheme."""
    found = _URL.match(text)
    return found[1].lower() if found else None


def is_remote(text: object) -> bool:
    """Return whether a text is a URL of an object store that can be read."""
    return isinstance(text, str) and scheme_of(text) in _LIBRARIES


def url_of(path: PurePath) -> str | None:
    """Return the URL that was made a path, which keeps one of its slashes; None if it was none."""
    scheme, sign, rest = str(path).partition(":/")
    return f"{scheme}://{rest}" if sign and scheme_of(f"{scheme}://") is not None else None


class Remote:
    """A place in an object store. The store is reached by the first method that needs it.

    :param url: its URL, such as ``s3://bucket/folder/table.parquet``
    :raises ConfigError: the URL contains a password, is a chain of several, or has empty parts or dots between its slashes
    """

    def __init__(self, url: str) -> None:
        scheme, _, key = url.partition("://")
        user, at, _ = key.partition("/")[0].rpartition("@")
        if "::" in url or (at and ":" in user):
            shown = _without_password(url.partition("::")[0])
            raise ConfigError(f"{shown}: a URL with a password, or a chain of URLs; expected {scheme}://BUCKET/PATH")
        key = key.removesuffix("/")
        if scheme_of(url) not in _LIBRARIES or any(part in ("", ".", "..") for part in key.split("/")):
            raise ConfigError(f"{url}: not a URL of an object store; expected {scheme}://BUCKET/PATH without empty parts and dots")
        self._scheme, self._key = scheme.lower(), key

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{self._scheme}://{self._key}"

    @property
    def parent(self) -> str:
        """The URL of the folder that contains the place."""
        return f"{self._scheme}://{self._key.rpartition('/')[0] or self._key}"

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self._key.rpartition("/")[2]

    def below(self, path: str) -> Remote | None:
        """Return a place below this folder.

        :param path: a relative path, or a URL that begins with that of this folder
        :returns: None if the path leads out of the folder
        """
        if path.startswith(self.url + "/"):
            path = path[len(self.url) + 1 :]
        elif scheme_of(path) is not None or path.startswith("/"):
            return None
        joined = posixpath.normpath(posixpath.join(self._key, path))
        if "::" in joined or not joined.startswith(self._key + "/"):
            return None
        other = object.__new__(Remote)
        other._scheme, other._key = self._scheme, joined
        return other

    @cached_property
    def _files(self) -> Any:
        """The file system of fsspec, without remembered listings, since files may change.

        :raises MissingDependency: the package for the scheme is not installed
        """
        package = _LIBRARIES[self._scheme]
        try:
            return importlib.import_module("fsspec").filesystem(self._scheme, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            install = "'polymodal[remote]'" if package in _IN_EXTRA else package
            raise MissingDependency(f"{self.url}: package {package!r} is not installed ({error}); pip install {install}") from None

    @cached_property
    def _path(self) -> str:
        """The path of the place in the file system."""
        return str(self._files._strip_protocol(self.url))

    def size(self) -> int | None:
        """Return the number of bytes of a file; None for a folder.

        :raises OSError: there is nothing at this place, or the store cannot be reached
        """
        facts = _guarded(self._files.info)(self._path)
        return None if facts.get("type") == "directory" else int(facts.get("size") or 0)

    def open(self) -> BinaryIO:
        """Open a file to read it. Every error of its methods is an ``OSError``.

        :raises OSError: the file is absent, or the store cannot be reached
        """
        return cast(BinaryIO, _Opened(_guarded(self._files.open)(self._path, "rb")))

    def entries(self) -> list[tuple[str, bool]]:
        """Return the names of the entries of a folder, sorted, each with whether it is a folder.

        :raises OSError: the folder is absent, or the store cannot be reached
        """
        found = {
            str(facts["name"]).rstrip("/").rpartition("/")[2]: facts.get("type") == "directory"
            for facts in _guarded(self._files.ls)(self._path, detail=True)
            if str(facts["name"]).strip("/") != self._path.strip("/")
        }
        return sorted(found.items())

    def fetch(self, local: str) -> None:
        """Copy a file to a local path.

        :raises OSError: the file is absent, or the store cannot be reached
        """
        _guarded(self._files.get_file)(self._path, local)


class _Opened:
    """An open file whose methods raise no exceptions but ``OSError``."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._file, name)
        return _guarded(value) if callable(value) else value

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a file or a file system. Each library has its own exceptions, such as those of missing credentials; they become
    an ``OSError``."""

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {str(error)[:200]}") from None

    return call


def _without_password(url: str) -> str:
    """Return a URL without what precedes its host."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
