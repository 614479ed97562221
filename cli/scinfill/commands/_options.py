"""Options that verbs share, so that they read alike everywhere."""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from scinfill.commands._failures import DEBUG, LOG_JSON
from scinfill.commands._names import in_options_of
from scinfill.commands._runtime import running
from scinfill.errors import InputError
from scinfill.io.streams import STDIO, check_new_folder, check_writable

if TYPE_CHECKING:
    from anndata import AnnData

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

ZARR_SUFFIX = ".zarr"


class Bytes(click.ParamType):
    """An amount of memory: ``800M``, ``4G``, ``1.5GiB`` or plain bytes; a letter stands for a power of 1024."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
        size = 0 if parts is None else int(float(parts[1]) * 1024 ** " KMGT".index(parts[2].upper() or " "))
        if size < 1:
            self.fail(f"{value!r} is not an amount of memory such as 800M or 4G", param, ctx)
        return size


def input_argument(function: Function) -> Function:
    """Add the argument ``source``: a file, or ``-`` (the default) for standard input."""
    return click.argument("source", metavar="[INPUT]", default=STDIO, type=click.Path(allow_dash=True, readable=False))(
        function
    )


def check_output(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse, before any work, an H5AD file or a zarr store that cannot be written."""
    if value is not None and not ctx.resilient_parsing:
        if PurePath(value).suffix == ZARR_SUFFIX:
            from scinfill.io.zarr_stores import check_target

            check_target(value)
        else:
            check_writable(value)
    return value


def output_option(
    *,
    binary: bool = True,
    optional: bool = False,
    help: str = "H5AD file to write, or a zarr store where the name ends in .zarr; - is standard output.",
) -> Decorator:
    """Add ``-o`` as ``target``, refused before any work where it cannot be written; None where nothing is."""

    def check_text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        if value is not None and not ctx.resilient_parsing:
            check_writable(value, binary=False)
        return value

    return click.option(
        "-o",
        "--output",
        "target",
        metavar="FILE",
        default=None if optional else STDIO,
        show_default=not optional,
        type=click.Path(allow_dash=True, readable=False),
        callback=check_output if binary else check_text,
        help=help,
    )


def new_folder_option(function: Function) -> Function:
    """Add ``-o`` as ``target``, a folder that is made, refused before any work where it cannot be."""

    def check(ctx: click.Context, param: click.Parameter, value: str) -> str:
        if not ctx.resilient_parsing:
            check_new_folder(value)
        return value

    return click.option(
        "-o", "--output", "target", metavar="FOLDER", required=True, callback=check, help="Folder to make."
    )(function)


def layer_option(help: str) -> Decorator:
    """Add ``--layer``; ``help`` says what is read from it instead of X."""
    return click.option("--layer", metavar="NAME", help=help)


def model_file_option(name: str, help: str) -> Decorator:
    """Add an option that names the file of a saved model, such as ``--model``."""
    return click.option(name, metavar="MODEL", type=click.Path(allow_dash=True, readable=False), help=help)


def is_same_file(one: str, other: str) -> bool:
    """Whether two names, however written, are of one file."""
    if STDIO in (one, other):
        return one == other
    return Path(one).resolve() == Path(other).resolve()


def check_model_stays(model: str | None, target: str) -> None:
    """Refuse a result that would replace the model that it is made by."""
    if model not in (None, STDIO) and is_same_file(str(model), target):
        raise InputError(f"the result would replace the model {model!r}; name another output")


def read_model_file(path: str | None, *others: str) -> "AnnData | None":
    """Read a saved model, None where none is named; ``others`` are the files that the verb reads beside it."""
    if path is None:
        return None
    if STDIO in others and path == STDIO:
        raise InputError("only one of the input and `model` can be standard input; name files for the others")
    from scinfill.io import anndata_files

    return anndata_files.read(path, to_write=False)


def counts_options(function: Function) -> Function:
    """Add what chooses among several tables of counts in one source: ``--modality`` and ``--genome``."""
    modality = click.option(
        "--modality",
        metavar="NAME",
        help="Modality to read of a MuData file (.h5mu).  [default: the one that holds RNA]",
    )
    genome = click.option("--genome", metavar="NAME", help="Genome to read of a 10x file or folder that holds several.")
    return modality(genome(function))


def seed_option(function: Function) -> Function:
    """Add ``--seed``."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Random seed. Repeated runs on the same machine with the same number of threads give identical files.",
    )(function)


def device_option(default: str | None = "auto") -> Decorator:
    """Add ``--device`` for verbs that train a model; without a default it is what a file records."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "gpu"]),
        default=default,
        show_default=default is not None,
        help="Where the model is computed; auto takes a GPU if there is one."
        + ("" if default else "  [default: as recorded]"),
    )


def runtime_options(function: Function) -> Function:
    """Add ``--threads``, ``--max-memory``, ``--quiet``, ``--verbose`` and their like, and run the verb under them."""

    @wraps(function)
    def run(
        *,
        threads: int | None,
        max_memory: int | None,
        verbosity: str | None,
        **options: Any,  # noqa: ANN401 - any verb's options
    ) -> Any:  # noqa: ANN401
        ctx = click.get_current_context()
        with running(
            ctx.info_name or "scinfill",
            threads=threads,
            max_memory=max_memory,
            verbosity=verbosity,
            debug=ctx.meta.get(DEBUG, False),
            log_json=ctx.meta.get(LOG_JSON, False),
            reword=in_options_of(ctx.command),
        ):
            return function(**options)

    decorated: Any = run
    for option in reversed(
        (
            click.option("--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all cores]"),
            click.option(
                "--max-memory",
                type=Bytes(),
                help="Memory limit, e.g. 4G. Larger arrays are kept in temporary files (TMPDIR); a job that cannot fit "
                "is refused at the start.  [default: the free memory]",
            ),
            click.option("-q", "--quiet", "verbosity", flag_value="quiet", help="Print only warnings and errors."),
            click.option("-v", "--verbose", "verbosity", flag_value="verbose", help="Print more."),
            _flag("--debug", DEBUG, "Print the traceback of an error."),
            _flag("--log-json", LOG_JSON, "Print messages as JSON, one object a line."),
        )
    ):
        decorated = option(decorated)
    return cast("Function", decorated)


def _flag(name: str, key: str, help: str) -> Decorator:
    """Add a flag that is known before the other options are read: it also shapes their errors."""

    def keep(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - Click's signature
        ctx.meta[key] = value

    return click.option(name, is_flag=True, is_eager=True, expose_value=False, callback=keep, help=help)
