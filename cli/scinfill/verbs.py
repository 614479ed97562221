"""Verbs whose business is files: the command line and Python call the same functions.

The other verbs take a table and return one; those are in ``methods`` and ``evaluation``. What draws and what scores is
loaded by those verbs that draw and score: it takes longer than `inspect` and `export` themselves.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from scinfill.errors import DataError, InputError
from scinfill.io import exchange, h5ad, scores, sources
from scinfill.io.streams import STDIO, check_folder, write_text
from scinfill.methods import provenance
from scinfill.methods.autoimpute import AutoImpute
from scinfill.methods.deepmc import DeepMc
from scinfill.methods.grouping import read_groups
from scinfill.methods.imputer import impute
from scinfill.methods.markers import markers
from scinfill.methods.mask import mask
from scinfill.methods.measured import drop_unmeasured
from scinfill.methods.preprocess import preprocess
from scinfill.methods.reading import read_observations
from scinfill.methods.saved_model import describe_model
from scinfill.methods.settings import MethodSettings
from scinfill.methods.simulate import simulate
from scinfill.models.devices import has_tensorflow
from scinfill.reporting.report import Report
from scinfill.reporting.sentences import Sentence
from scinfill.schema import IMPUTED, MODEL

log = logging.getLogger(__name__)

METHODS: dict[str, type[MethodSettings]] = {"deepmc": DeepMc, "auto": AutoImpute}
MASKED_SHARE = 0.1
NULL_GENES = 100


def inspect(source: str | Path, *, modality: str | None = None, genome: str | None = None) -> dict[str, Any]:
    """Return what a file holds: cells, genes, names of columns and layers, raw, and which matrix holds counts.

    Of a saved model ``model`` says by which verb it was trained, what its values are, which batches it knows, and under
    ``problem`` why it cannot be used, if it cannot; of other files ``model`` is None.

    Parameters
    ----------
    source
        Anything that ``scinfill preprocess`` reads. Of an H5AD file some millions of values are looked at.
    modality, genome
        Which part of a MuData or of a file with several genomes.

    Raises
    ------
    InputError
        There is no such file.
    DataError
        It is damaged, or nothing that scinfill reads.

    Examples
    --------
    >>> import scinfill
    >>> scinfill.simulate(n_cells=20, n_genes=30).write_h5ad("counts.h5ad")
    >>> scinfill.inspect("counts.h5ad")["genes"]
    30
    """
    content, table = sources.inventory(source, modality=modality, genome=genome)
    return content | {"model": None if table is None else describe_model(table)}


def export(adata: AnnData, folder: str | Path, *, layer: str | None = None) -> None:
    """Write Matrix Market files for imputers in other languages; :func:`scinfill.adopt` takes the result back.

    Parameters
    ----------
    adata
        Made by :func:`scinfill.preprocess` or :func:`scinfill.mask`; never changed.
    folder
        A new folder; it receives ``counts.mtx``, ``log2.mtx`` (genes in rows), ``genes.txt`` and ``cells.txt``.
    layer
        Layer that holds the log2(1 + x) values instead of ``X``.

    Raises
    ------
    InputError
        Something of that name exists, or cannot be made.
    DataError
        Wrong values, another scale, or a name that does not fit on a line.

    Examples
    --------
    >>> import scinfill
    >>> scinfill.export(scinfill.preprocess(scinfill.simulate(n_cells=20, n_genes=30)), "exchange")
    """
    data = read_observations(adata, layer=layer)
    exchange.write_folder(
        folder, counts=data.counts, log2=data.log_values, genes=adata.var_names, cells=adata.obs_names
    )


def report(
    results: Sequence[str | Path | Mapping[str, Any] | AnnData] | AnnData,
    *,
    title: str | None = None,
    labels: str | None = None,
    cost: str | Path | None = None,
    missing: Sequence[str] = (),
    figures: str | Path | None = None,
    multiqc: str | Path | None = None,
) -> Report:
    """Turn results of :func:`scinfill.evaluate`, or one table, into an HTML page that opens with a verdict.

    Parameters
    ----------
    results
        Documents, or the JSON files that hold them; those of the same title and mask are replicates. Or one table (an
        H5AD file, a zarr store, an AnnData) that scinfill worked on: then the page tells what was done to it.
    title
        Heading of the page.
    labels
        Column of ``obs`` with the label of every cell, of a table only: for markers and components. None takes the
        markers that the table holds.
    cost
        Table of time and memory: columns ``name``, ``seconds`` and, where known, ``peak_mib``; one row a run.
    missing
        One line for each result that was to come and did not: the page says so.
    figures
        Folder that receives every figure as SVG and PNG.
    multiqc
        Folder that receives a table and a bar graph as sections of a MultiQC report (``*_mqc.json``).

    Returns
    -------
    The page as ``html``, and the verdict as ``sentences``.

    Raises
    ------
    InputError
        No result, several tables, a table of costs without its columns, or an option that does not go with the kind of
        input.
    DataError
        A document that ``evaluate`` did not write, or a table that scinfill did not work on.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=60, n_genes=50))
    >>> imputed = scinfill.impute_baseline(table, method="svd", rank=2)
    >>> scores = scinfill.evaluate(imputed, labels="cell_type")
    >>> scinfill.report([scores]).html.startswith("<!doctype html>")
    True
    >>> scinfill.report(imputed, labels="cell_type").sentences[0].question
    'Did it change the data?'
    """
    from scinfill.reporting.build import build

    for folder in (figures, multiqc):
        if folder is not None:
            check_folder(folder)
    sources = [results] if isinstance(results, AnnData) else list(results)
    inputs = [_input(number, source) for number, source in enumerate(sources, start=1)]
    tables = [(name, content) for name, content in inputs if isinstance(content, AnnData)]
    if tables:
        _check_one_table(tables, inputs, cost=cost, missing=missing, multiqc=multiqc)
        made = _report_on_table(*tables[0], labels=labels, title=title, with_files=figures is not None)
    else:
        if labels is not None:
            raise InputError("`labels` goes with a table; results of `scinfill evaluate` know their labels")
        made = build(
            [(name, content) for name, content in inputs if not isinstance(content, AnnData)],
            title=title,
            costs=None if cost is None else scores.read_costs(cost),
            absent=missing,
            with_files=figures is not None,
        )
    if figures is not None:
        scores.write_folder(made.figures, figures)
        log.info("wrote %d figures, as SVG and PNG, to %s", len(made.figures) // 2, figures)
    if multiqc is not None:
        scores.write_folder(made.sections, multiqc)
    return made


def _input(number: int, result: str | Path | Mapping[str, Any] | AnnData) -> tuple[str, Mapping[str, Any] | AnnData]:
    """Return a result or a table with the name that messages call it."""
    if isinstance(result, AnnData):
        return f"table {number}", result
    if isinstance(result, Mapping):
        return f"result {number}", result
    return str(result), scores.read(result)


def _check_one_table(
    tables: Sequence[tuple[str, AnnData]],
    inputs: Sequence[tuple[str, Any]],
    *,
    cost: str | Path | None,
    missing: Sequence[str],
    multiqc: str | Path | None,
) -> None:
    """Refuse what a page about one table has no place for."""
    if len(inputs) > 1:
        raise InputError(
            f"{tables[0][0]} is a table, and a page about a table takes it alone; `scinfill evaluate` compares "
            f"several, and its results make one page"
        )
    for option, value in (("cost", cost), ("missing", missing), ("multiqc", multiqc)):
        if value:
            raise InputError(f"`{option}` goes with results of `scinfill evaluate`; {tables[0][0]} is a table")


def _report_on_table(name: str, adata: AnnData, *, labels: str | None, title: str | None, with_files: bool) -> Report:
    """Ask of one table what can be asked at once, and make its page."""
    from scinfill.evaluation.case import Settings
    from scinfill.evaluation.evaluate import run
    from scinfill.evaluation.scorecard import OF_ONE_FILE
    from scinfill.reporting import one_file

    shown = "standard input" if name == STDIO else Path(name).name
    adata = drop_unmeasured(adata)
    document = None
    if IMPUTED in adata.layers or MODEL in provenance.record(adata):
        genes = None
        if labels is not None:
            read_groups(adata, labels)  # a column of measurements is refused, not drawn
            adata, genes = _with_markers(adata, labels)
        document = run(
            [(None, adata)], Settings(labels=labels, show_genes=genes), experiments=OF_ONE_FILE, title=shown
        ).document
    return one_file.build(adata, shown, document=document, title=title, with_files=with_files)


def _with_markers(adata: AnnData, labels: str) -> tuple[AnnData, tuple[str, ...] | None]:
    """Return a table with the markers of its labels, and which genes to show; where none are found, a line says why."""
    from scinfill.evaluation.genes import MARKERS

    try:
        return markers(adata, groupby=labels), (MARKERS,)
    except DataError as error:
        log.warning("no markers: %s", error)
        return adata, None


def demo(folder: str | Path = "demo", *, n_cells: int = 500, n_genes: int = 1500, seed: int = 0) -> Sequence[Sentence]:
    """Run the whole chain on simulated data: simulate, preprocess, mask, impute, evaluate, report.

    AutoImpute is left out, with a warning, where TensorFlow is not installed.

    Parameters
    ----------
    folder
        Receives the file of every step; made if it is not there.
    n_cells, n_genes
        Size of the simulated data.
    seed
        Random seed.

    Returns
    -------
    The verdict, sentence by sentence.

    Raises
    ------
    InputError
        The folder cannot be made or written.

    Examples
    --------
    >>> import scinfill
    >>> verdict = scinfill.demo("demo", n_cells=60, n_genes=60)
    >>> verdict[0].question.endswith("?")
    True
    """
    from scinfill.evaluation.evaluate import evaluate
    from scinfill.reporting.build import build

    folder = Path(folder)
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}") from error
    methods = METHODS
    if not has_tensorflow():
        methods = {name: settings for name, settings in METHODS.items() if settings is not AutoImpute}
        log.warning("TensorFlow is not installed: AutoImpute, which needs it, is left out; pip install tensorflow")
    counts = simulate(n_cells=n_cells, n_genes=n_genes, n_types=4, seed=seed)
    prepared = preprocess(counts)
    thinned = mask(prepared, mode="thin", fraction=MASKED_SHARE, null_genes=NULL_GENES, seed=seed)
    hidden = mask(prepared, mode="nonzero", fraction=MASKED_SHARE, seed=seed)
    for name, table in {"counts": counts, "log": prepared, "thinned": thinned, "hidden": hidden}.items():
        _write(table, folder / f"{name}.h5ad")
    costs: list[dict[str, str | float]] = []
    documents = []
    experiments: dict[str, tuple[AnnData, dict[str, Any]]] = {
        "thinned": (thinned, {"uncertainty": True}),
        "hidden": (hidden, {"estimate": "detected"}),
    }
    for name, (table, options) in experiments.items():
        imputed = {
            method: _impute(method, table, settings(seed=seed, **options), folder / name, costs)
            for method, settings in methods.items()
        }
        document = evaluate(imputed, labels="cell_type", seed=seed, title="simulated cells")
        scores.write(document, folder / f"{name}.scores.json")
        documents.append((name, document))
    made = build(documents, title="scinfill demo", costs=pd.DataFrame(costs))
    write_text(made.html, folder / "report.html")
    return made.sentences


def _impute(
    method: str, table: AnnData, settings: MethodSettings, stem: Path, costs: list[dict[str, str | float]]
) -> AnnData:
    """Impute, write the file, and note what it cost."""
    started = time.perf_counter()
    imputed = impute(table, settings).to_anndata()
    costs.append({"name": method, "seconds": time.perf_counter() - started, "peak_mib": float("nan")})
    _write(imputed, stem.with_name(f"{stem.name}.{method}.h5ad"))
    return imputed


def _write(table: AnnData, target: Path) -> None:
    h5ad.write(table, target)
    log.info("wrote %s (%d cells x %d genes)", target, table.n_obs, table.n_vars)
