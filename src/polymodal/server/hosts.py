"""Which names of the server a request may state, and which pages may send one: the protection of a server that a browser can reach.

A page of another site can let its own name resolve to this machine (DNS rebinding); its requests then have that name in ``Host``. Such a
page can also send a POST request without reading the response; its request then states another origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address

from .limits import RequestError

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of this machine, which no other site can have."""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/?#\[\]]+?)\.?(:\d*)?")
READS = ("GET", "HEAD", "OPTIONS")


def host_of(text: str) -> str | None:
    """Return the name in the value of a ``Host`` header, without its port; None if the value is not valid."""
    found = _HOST.fullmatch(text.lower())
    return found[1] if found else None


def hosts_of(address: str, allowed: Sequence[str] = ()) -> frozenset[str] | None:
    """Return the names that requests may state; None = any.

    :param address: the address that the server listens on
    :param allowed: further names
    """
    if not allowed and not _is_loopback(address):
        return None
    names = {name for text in allowed if (name := host_of(text))}
    own = {f"[{address}]" if ":" in address else address} if _is_loopback(address) else set()
    return LOCAL | own | names


def _is_loopback(address: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address == "localhost"
    return ((parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None) or parsed).is_loopback


def check_host(headers: Mapping[bytes, bytes], names: frozenset[str] | None) -> None:
    """Check the ``Host`` header of a request.

    :param names: the names that it may state; None = any
    :raises RequestError: it states another one (421)
    """
    if names is None:
        return
    given = headers.get(b"host", b"").decode("latin-1")
    name = host_of(given)
    if name not in names:
        expected = ", ".join(sorted(names))
        raise RequestError(
            421, f"Host: found {given[:80]!r}; expected {expected}; the option --allow-host {(name or 'NAME')[:80]} allows another name"
        )


def check_origin(method: str, headers: Mapping[bytes, bytes]) -> None:
    """Check that no page of another origin sends a request that is more than reading.

    Browsers state ``Sec-Fetch-Site`` over HTTPS and to this machine, and ``Origin`` with every POST request; other clients state neither.

    :raises RequestError: one sends it (403)
    """
    if method in READS:
        return
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        is_own = site in (b"same-origin", b"none")
    else:
        is_own = origin is None or origin.partition(b"://")[2].lower() == headers.get(b"host", b"").lower()
    if not is_own:
        raise RequestError(
            403, f"the request comes from a page of another origin, {(origin or b'not stated').decode('latin-1')[:80]!r}; "
            "expected the page of this server, or a program; pages of other origins need a server with a token (--token-file)"
        )  # fmt: skip
