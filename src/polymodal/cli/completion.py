"""``polymodal completion``: prints the script by which a shell completes commands, options and paths."""

from __future__ import annotations

import click

from .mistakes import Menu


@click.command()
@click.argument("shell", type=Menu(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell.

    Bash: eval "$(polymodal completion bash)" in ~/.bashrc. Zsh: the same with zsh in ~/.zshrc. Fish: polymodal completion fish | source
    in ~/.config/fish/config.fish.
    """
    from click.shell_completion import get_completion_class

    from .main import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "polymodal", "_POLYMODAL_COMPLETE").source())
