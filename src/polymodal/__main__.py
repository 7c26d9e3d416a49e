"""``python -m polymodal``: the same as the command ``polymodal``."""

from .cli.main import entry

if __name__ == "__main__":
    entry()
