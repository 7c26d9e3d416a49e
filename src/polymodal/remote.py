"""Tables and files in object stores, named by a URL that the user gives: ``s3://``, ``gs://``, ``az://`` and the like, through fsspec.

Nothing is fetched but the table of a given URL and files below its folder, or below a folder that is given as a root. Web addresses
(``http://``) are not read. Access is configured as the library of the store expects it: by environment variables or its own files.
"""

from __future__ import annotations

import importlib
import posixpath
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

from .errors import ConfigError, MissingDependency

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_LIBRARIES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs",
              "memory": "fsspec"}  # fmt: skip
"""The schemes that are read, and the package that reads each."""
SCHEMES: Sequence[str] = tuple(_LIBRARIES)


def scheme_of(text: str) -> str | None:
    """Return the scheme of a URL in lower case; None if the text is none. A path of Windows has no scheme."""
    found = _URL.match(text)
    return found[1].lower() if found else None


def is_remote(text: object) -> bool:
    """Return whether a text is a URL of an object store that can be read."""
    return isinstance(text, str) and scheme_of(text) in _LIBRARIES


class Remote:
    """A place in an object store.

    :param url: its URL, such as ``s3://bucket/folder/table.parquet``
    :raises ConfigError: the URL contains a password, or is a chain of several
    :raises MissingDependency: the package for the scheme is not installed
    """

    def __init__(self, url: str) -> None:
        scheme = scheme_of(url)
        if scheme not in _LIBRARIES:
            raise ConfigError(f"{url}: scheme {scheme!r}; expected one of {', '.join(SCHEMES)}")
        user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
        if "::" in url or (at and ":" in user):
            raise ConfigError(f"{_without_password(url)}: a URL with a password, or a chain of URLs; expected {scheme}://BUCKET/PATH")
        try:
            self._files: Any = importlib.import_module("fsspec").filesystem(scheme)
        except (ImportError, ValueError) as error:
            raise MissingDependency(
                f"{url}: package {_LIBRARIES[scheme]!r} is not installed ({error}); pip install 'polymodal[remote]'"
            ) from None
        self.url = url.rstrip("/")
        self._path = str(self._files._strip_protocol(self.url))

    def below(self, path: str) -> Remote | None:
        """Return a place below this folder.

        :param path: a relative path, or a URL that begins with that of this folder
        :returns: None if the path leads out of the folder
        """
        if path.startswith(self.url + "/"):
            path = path[len(self.url) + 1 :]
        elif scheme_of(path) is not None or path.startswith("/"):
            return None
        joined = posixpath.normpath(posixpath.join(self._path, path))
        if not joined.startswith(self._path.rstrip("/") + "/"):
            return None
        other = object.__new__(Remote)
        other._files, other._path, other.url = self._files, joined, f"{self.url}/{posixpath.relpath(joined, self._path)}"
        return other

    @property
    def parent(self) -> str:
        """The URL of the folder that contains the place."""
        return self.url.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def size(self) -> int | None:
        """Return the number of bytes of a file; None for a folder.

        :raises OSError: there is nothing at this place, or the store cannot be reached
        """
        facts = self._call("info", self._path)
        return None if facts.get("type") == "directory" else int(facts.get("size") or 0)

    def open(self) -> BinaryIO:
        """Open a file to read it.

        :raises OSError: the file is absent, or the store cannot be reached
        """
        opened: BinaryIO = self._call("open", self._path, "rb")
        return opened

    def files(self) -> list[str]:
        """Return the paths of all files below a folder, relative to it and sorted.

        :raises OSError: the folder is absent, or the store cannot be reached
        """
        start = self._path.rstrip("/") + "/"
        return sorted(str(path)[len(start) :] for path in self._call("find", self._path) if str(path).startswith(start))

    def names(self) -> list[str]:
        """Return the names of the entries of a folder, sorted.

        :raises OSError: the folder is absent, or the store cannot be reached
        """
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in self._call("ls", self._path, detail=False)})

    def fetch(self, local: str) -> None:
        """Copy a file to a local path.

        :raises OSError: the file is absent, or the store cannot be reached
        """
        self._call("get_file", self._path, local)

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the file system; every error of its library becomes an ``OSError``."""
        try:
            return getattr(self._files, method)(*arguments, **named)
        except OSError:
            raise
        except Exception as error:  # each library has its own exceptions, such as those of missing credentials
            raise OSError(f"{type(error).__name__}: {str(error)[:200]}") from None


def _without_password(url: str) -> str:
    """Return a URL without what precedes its host."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
