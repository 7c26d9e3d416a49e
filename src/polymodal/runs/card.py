"""``polymodal card``: writes the model card of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..errors import UserError
from ..pages import card, read_run
from ..predictor import load
from ..storage import check_file, write_whole


def write_card(
    run: str | Path,
    out: str | Path,
    *,
    language: str | None = None,
    licence: str | None = None,
    languages: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write the model card of a run: Markdown with the metadata of the Hugging Face Hub.

    The card has only facts that the run knows: fields, targets, metrics on validation rows with their standard errors beside those of
    single fields, and guarantees. It contains no row, and of paths only the name of the run.

    :param run: the folder of a finished run
    :param out: the file, with the extension ``.md``
    :param language: the language of the text, "en", "zh" or "auto" (the locale's); None = ``report.language`` of the run
    :param licence: the identifier of the model's licence, such as ``apache-2.0``; None = not stated
    :param languages: the languages of the texts that the model reads, as codes such as ``en``
    :param overwrite: whether a file that exists is replaced
    :returns: the path of the file
    :raises UserError: the run has not finished, the file exists, or a licence or a language is no such identifier
    """
    path = Path(out)
    check_file(path, overwrite, (".md",))
    for word in (*languages, *([licence] if licence is not None else [])):
        if not word.isascii() or not word.replace("-", "").replace(".", "").isalnum():
            raise UserError(f"{word!r}: expected an identifier of the Hugging Face Hub, such as apache-2.0 (licence) or zh (language)")
    content = read_run(Path(run))
    bundle = load(run, device="cpu").bundle
    model = bundle.experiment.model
    facts = {
        "name": content["name"],
        "metrics": content["metrics"],
        "fields": [
            {"name": name, "kind": config.kind, "encoder": model.encoders[name].kind, "columns": list(config.sources)}
            for name, config in bundle.experiment.fields.items()
        ],
        "targets": [
            {"name": name, "column": task.config.column, "kind": task.config.kind, "classes": task.classes}
            for name, task in bundle.tasks.items()
        ],
        "fusion": model.fusion.kind,
        "version": __version__,
    }
    text = card(facts, content["language"] if language is None else language, licence, languages)
    write_whole(path, text.encode("utf-8", "replace"))
    return path
