"""``polymodal``: the command line. Heavy modules are imported only when a command runs."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
import traceback
from typing import Any, NoReturn

import click

from .. import __version__
from .mistakes import Commands
from .options import encoding_option, numbers, on_error_option, reading, root_option, training
from .table import table


class _Group(Commands):
    """Converts the library's errors into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        from ..errors import PolymodalError, UserError

        try:
            return super().invoke(ctx)
        except UserError as error:
            _fail(error, 2)
        except PolymodalError as error:
            _fail(error, 1)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EIO, errno.ENAMETOOLONG):
                raise
            where = error.filename or "the output"
            _fail(UserError(f"{where}: cannot be written or opened ({error.strerror}); choose another place"), 2)
        except KeyboardInterrupt:
            click.echo("interrupted at once", err=True)
            sys.exit(130)


def _fail(error: Exception, code: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        click.echo(f"error: {error}", err=True)
    sys.exit(code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="polymodal")
@click.pass_context
def main(context: click.Context) -> None:
    """One trained, measured model out of a table whose rows hold pictures, videos, text, sounds, series, points and numbers."""
    context.obj = time.monotonic()  # the start of --time-limit


@main.command()
@click.argument("table")
@click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]...")
@click.option("--target", "targets", multiple=True, metavar="COL", help="The column to predict; may be given several times (tasks).")
@reading
def inspect(table: str, overrides: tuple[str, ...], targets: tuple[str, ...], seed: int | None, **settings: Any) -> None:
    """Look at a table: what each column is, what is missing, broken or suspicious."""
    from ..inspection import inspect as look_at
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        profile = look_at(table, *overrides, target=list(targets), seed=seed or 0, **settings)
    click.echo(profile.text())


@main.command()
@click.argument("table")
@click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]...")
@click.option(
    "--target", "targets", multiple=True, required=True, metavar="COL", help="The column to predict; may be given several times (tasks)."
)
@reading
@click.option("-o", "--out", default="run.yaml", show_default=True, help="The file to write; - for standard output.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def init(table: str, overrides: tuple[str, ...], targets: tuple[str, ...], out: str, **settings: Any) -> None:
    """Write the full run.yaml for a table, each choice explained."""
    from ..inspection import init as write_yaml
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        text = write_yaml(table, *overrides, target=list(targets), out=None if out == "-" else out, **settings)
    click.echo(text if out == "-" else f"wrote {out}; train it: polymodal train {out}")


@main.command()
@click.argument("table", metavar="TABLE|run.yaml|RUN")
@click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]...")
@training
@click.option("-o", "--out", metavar="RUN", help="Folder that the run would be written to.")
def check(table: str, overrides: tuple[str, ...], targets: tuple[str, ...], columns: dict[str, str], **settings: Any) -> None:
    """Look before training, some seconds: what would fail, by row; estimated time, memory and disk; which precision and why."""
    from ..preflight import check as look
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        found = look(table, *overrides, target=list(targets) or None, columns=columns or None, **settings)
    click.echo(found.text())
    sys.exit(0 if found.ok else 2)


@main.command()
@click.argument("table", required=False)
@click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]...")
@training
@click.option("-o", "--out", metavar="RUN", help="Folder of the run; default: runs/NAME.")
@click.option("--overwrite", is_flag=True, help="Replace the run that is there.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was interrupted or killed, from its last checkpoint.")
@click.option("--force", is_flag=True, help="Resume although data, settings or code are not what they were.")
@click.option("--tensorboard", is_flag=True, help="Curves for TensorBoard, in RUN/tensorboard.")
@click.option("--quiet", is_flag=True, help="Say only where the results are.")
def train(table: str | None, overrides: tuple[str, ...], targets: tuple[str, ...], columns: dict[str, str], ignore: tuple[str, ...],
          group: str | None, split: str | None, root: tuple[str, ...], seed: int | None, time_limit: str | None, encoding: str | None,
          on_error: str | None, valid: str | None, test: str | None, out: str | None, overwrite: bool, resume: str | None, force: bool,
          tensorboard: bool, quiet: bool) -> None:  # fmt: skip
    """Train on TABLE (or on a run.yaml), measure, and save a bundle; or go on with a run."""
    if resume is not None:
        table, overrides = _resumed(click.get_current_context(), table, overrides)
    elif force:
        raise click.UsageError("--force without --resume RUN: nothing to force")
    elif table is None:
        raise click.UsageError("missing TABLE: the table to train on, or a run.yaml; or go on with a run: --resume RUN")
    from .commands import train as run

    run(table, overrides, targets=targets, columns=columns, ignore=ignore, group=group, split=split, root=root, seed=seed,
        time_limit=time_limit, encoding=encoding, on_error=on_error, valid=valid, test=test, out=out, overwrite=overwrite, resume=resume,
        force=force, tensorboard=tensorboard, quiet=quiet, start=click.get_current_context().obj)  # fmt: skip


_WITH_RESUME = ("table", "overrides", "valid", "test", "resume", "force", "tensorboard", "quiet")


def _resumed(context: click.Context, table: str | None, overrides: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the table and the overrides that go with ``--resume``: if the table's place holds an override, it is moved to the
    overrides."""
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in _WITH_RESUME and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"{parameter.opts[-1]} beside --resume: the run has its settings; change one by path=value and --force")
    if table is not None and "=" in table and not os.path.exists(table):
        return None, (table, *overrides)
    return table, overrides


@main.command()
@click.argument("table", required=False)
@click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]...")
@click.option("--target", "targets", multiple=True, metavar="COL", help="The column to predict; may be given several times (tasks).")
@reading
@on_error_option
@click.option("--fusion", "fusions", multiple=True, metavar="NAME", help="Only these fusions; default: all that can fuse these fields.")
@click.option("--also", multiple=True, metavar="PATH=VALUE|none", help="Every fusion once more, under these settings; else one, balanced.")
@click.option("--trials", type=click.IntRange(1, 4), default=4, show_default=True, help="Settings tried for every contender alike.")
@click.option(
    "--rounds",
    type=click.IntRange(2, 10),
    default=5,
    show_default=True,
    help="Trainings of each contender that are measured; 2 give no interval.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Trainings at a time, a core each; changes no bit. Default: one a core, 8 at most."
)
@click.option("-o", "--out", metavar="FOLDER", help="Folder for what is found; default: runs/NAME-compare.")
@click.option("--overwrite", is_flag=True, help="Replace the comparison that is there.")
@click.option("--resume", metavar="FOLDER", help="Go on with a comparison that was interrupted or killed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, and nothing else.")
@click.option("--quiet", is_flag=True, help="Say only what was found.")
def compare(table: str | None, overrides: tuple[str, ...], targets: tuple[str, ...], columns: dict[str, str], resume: str | None,
            **settings: Any) -> None:  # fmt: skip
    """Does fusing help on TABLE, by which fusion, by how much, and is it noise? Every field alone against every fusion."""
    context = click.get_current_context()
    if resume is not None:
        own = ("table", "resume", "jobs", "as_json", "quiet")
        for parameter in context.command.params:
            given = context.get_parameter_source(str(parameter.name)) is not click.core.ParameterSource.DEFAULT
            if str(parameter.name) not in own and given:
                raise click.UsageError(f"{parameter.opts[-1]} beside --resume: the comparison has its settings; begin another one")
    elif table is None:
        raise click.UsageError("missing TABLE: the table to compare on, or a run.yaml; or go on with one: --resume FOLDER")
    from .compare import verb

    verb(table, overrides, target=list(targets) or None, columns=columns or None, resume=resume, start=context.obj, **settings)


@main.command()
@click.argument("run", metavar="RUN")
@click.argument("table")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, and nothing else.")
@on_error_option
@root_option("Another folder that file cells may name.")
@encoding_option
@click.option("--strict", is_flag=True, help="Stop when a column is absent, in place of taking it as missing.")
@click.option("--trust", is_flag=True, help="Run code that the bundle names (module:Class).")
@click.option("--robustness", is_flag=True, help="What is left when cells are corrupted, at five severities, or missing.")
@click.option("--against", metavar="RUN", help="A baseline that effective robustness is told by, such as one of late fusion.")
@click.option("--seed", type=click.IntRange(min=0), help="Draws the rows of --robustness, and what happens to them; default: 0.")
@click.option("-o", "--out", metavar="FOLDER", help="Write robustness.json and robustness.html there.")
@click.option("--overwrite", is_flag=True, help="Replace what is in FOLDER.")
def evaluate(run: str, table: str, **settings: Any) -> None:
    """Measure a trained model on a table that holds the target; with --robustness, also on cells that are corrupted or missing."""
    from .robustness import evaluate as verb

    verb(run, table, **settings)


@main.command()
@click.argument("run", metavar="RUN")
@click.argument("table")
@click.option("--rows", metavar="N,N", callback=numbers, help="Explain these rows (1 = the first), in place of the whole table.")
@click.option("-o", "--out", metavar="FOLDER", help="Write explain.json and explain.html there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, and nothing else.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the rows, and what is permuted.")
@on_error_option
@root_option("Another folder that file cells may name.")
@encoding_option
@click.option("--strict", is_flag=True, help="Stop when a column is absent, in place of taking it as missing.")
@click.option("--trust", is_flag=True, help="Run code that the bundle names (module:Class).")
@click.option("--overwrite", is_flag=True, help="Replace what is in FOLDER.")
def explain(run: str, table: str, **settings: Any) -> None:
    """What each field contributes to a trained model's answers; with --rows, to the answers of these rows, and where it looked."""
    from .explain import verb

    verb(run, table, **settings)


@main.command()
@click.argument("run", metavar="RUN")
@click.argument("table", required=False)
@click.option("--row", metavar="JSON", help="One row as JSON, in place of a table.")
@click.option("-o", "--out", metavar="OUT", help="The file to write: .csv, .parquet or .jsonl.")
@on_error_option
@root_option("Another folder that file cells may name.")
@encoding_option
@click.option("--strict", is_flag=True, help="Stop when a column is absent, in place of taking it as missing.")
@click.option("--trust", is_flag=True, help="Run code that the bundle names (module:Class).")
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
@click.option("--coverage", type=float, metavar="SHARE", help="Sets (or intervals) that hold the truth of this share of rows, such as 0.9.")
@click.option("--abstain-below", type=click.FloatRange(0, 1), metavar="P", help="No answer where no class has this probability.")
def predict(run: str, table: str | None, row: str | None, out: str | None, on_error: str | None, root: tuple[str, ...],
            encoding: str | None, strict: bool, trust: bool, overwrite: bool, coverage: float | None,
            abstain_below: float | None) -> None:  # fmt: skip
    """Predict the rows of a table, or one row given as JSON."""
    from .commands import predict as verb

    if (table is None) == (row is None):
        raise click.UsageError("expected a trained run and a table, polymodal predict RUN TABLE -o OUT; or one row: RUN --row JSON")
    if table is not None and out is None:
        raise click.UsageError("missing -o OUT: the file to write (.csv, .parquet or .jsonl)")
    verb(run, table, row=row, out=out, on_error=on_error, root=root, encoding=encoding, strict=strict, trust=trust, overwrite=overwrite,
         coverage=coverage, abstain_below=abstain_below)  # fmt: skip


@main.command()
@click.argument("run", metavar="RUN")
def report(run: str) -> None:
    """Make a run's report.html anew: one page that needs nothing else."""
    from pathlib import Path

    from ..report import write

    click.echo(f"wrote {write(Path(run))}")


@main.command()
@click.option("-o", "--out", metavar="RUN", default="runs/demo", show_default=True, help="Folder of the demo.")
def demo(out: str) -> None:
    """Train on questions about pictures (easy-VQA), and see what fusing is worth."""
    from .demo import demo as verb

    verb(out)


main.add_command(table)


@main.command()
def schema() -> None:
    """Print the JSON schema of run.yaml, for editors."""
    import json

    from ..experiment import Experiment

    click.echo(json.dumps(Experiment.model_json_schema(), indent=1, ensure_ascii=False))


def entry() -> NoReturn:
    """Run the command as a process: run it, flush the streams, and exit.

    The process exits without tearing down the interpreter: threads of native libraries that are still running then abort the process now
    and then, which turns an exit code into a signal.
    """
    code: object = 0
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # exit normally, so that temporary folders are removed
    try:
        main()
    except SystemExit as stopped:
        code = stopped.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    entry()
