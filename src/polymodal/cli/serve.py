"""``polymodal serve``: answers HTTP requests with trained models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .options import device_option


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on. Others can reach 0.0.0.0; use a token there."
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="The port; 0 = any that is free.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="The processes that answer, each with models of its own."
)
@click.option("--token-file", metavar="FILE", help="A file with a token that requests must have as Authorization: Bearer TOKEN.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name of this server that requests may state in Host; without it those of this machine, or with --host of others any.",
)
@click.option(
    "--root", multiple=True, metavar="FOLDER", help="A folder below which requests may name files; without it they may name none."
)
@click.option("--max-body-mb", type=click.FloatRange(min=0.001), default=32.0, show_default=True, help="The maximum size of a request.")
@click.option("--max-rows", type=click.IntRange(1), default=1_000, show_default=True, help="The maximum number of rows of a request.")
@click.option("--max-waiting", type=click.IntRange(1), default=2_000, show_default=True, help="The rows that may wait; more get 503.")
@device_option
def serve(
    runs: tuple[str, ...], host: str, port: int, workers: int, token_file: str | None, hosts: tuple[str, ...], root: tuple[str, ...],
    max_body_mb: float, max_rows: int, max_waiting: int, device: Any,
) -> None:  # fmt: skip
    """Answer HTTP requests with trained runs or bundles.

    A RUN may be given a name: NAME=RUN; otherwise the name is that of its folder. The first one answers /predict, and each answers
    /models/NAME/predict and /v2/models/NAME/infer (Open Inference Protocol). /openapi.json describes all routes.
    """
    from ..errors import requires

    for package in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        requires(package, "serve")
    from ..server import Limits, Models, Settings, serve_in_processes
    from ..server import serve as run_server
    from ..server.hosts import host_of
    from .output import show as print_lines
    from .output import words

    texts = words()

    if max_rows > max_waiting:
        raise click.UsageError(
            f"--max-rows {max_rows} above --max-waiting {max_waiting}: such a request could never wait; raise --max-waiting"
        )
    for name in hosts:
        if host_of(name) != name.lower().rstrip("."):
            raise click.UsageError(f"--allow-host {name}: expected a name or an address without a port, such as shop.example or [::1]")
    token = _token(token_file)
    limits = Limits(body_bytes=int(max_body_mb * 2**20), rows=max_rows, waiting_rows=max_waiting)
    named = _named(runs)

    def show(versions: Mapping[str, str]) -> None:
        for name, version in versions.items():
            print_lines([(texts("serve.model", name=name, folder=named[name], version=version), "")])

    def ready(chosen: int) -> None:
        address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
        print_lines([(texts("serve.listening", address=address), "")])

    if workers > 1:

        def all_ready(chosen: int, versions: Mapping[str, str]) -> None:
            show(versions)
            ready(chosen)

        serve_in_processes(Settings(named, limits, list(root), device, token, hosts), workers, host, port, all_ready)
        return
    models = Models(named, limits, list(root), device)
    show({name: served.loaded.version for name, served in models.by_name.items()})
    run_server(models, host, port, token, ready, hosts)


def _named(runs: tuple[str, ...]) -> dict[str, str]:
    """Return the folders of runs by name."""
    named: dict[str, str] = {}
    for run in runs:
        name, sign, path = run.partition("=")
        if not sign or Path(run).exists():
            name, path = Path(run).resolve().name, run
            name = Path(run).resolve().parent.name if name == "bundle" else name
        if not name or "/" in name or name in named:
            raise click.UsageError(f"RUN {run!r}: name {name!r} that is empty, contains a slash or occurs twice; give another: NAME=RUN")
        named[name] = path
    return named


def _token(path: str | None) -> str | None:
    """Return the token in a file."""
    if path is None:
        return None
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--token-file {path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})") from None
    if len(token) < 16 or not token.isascii():
        raise click.UsageError(f"--token-file {path}: expected a token of at least 16 ASCII characters; write one: openssl rand -hex 32")
    return token
