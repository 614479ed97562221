"""The page about one table: what was done to it, what that came to, and what it is good for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill import __version__
from scinfill.errors import DataError
from scinfill.methods import provenance, validation
from scinfill.methods.effects import effect_of, numbers_of_genes
from scinfill.methods.grouping import columns_of_labels
from scinfill.methods.knowledge import knowledge_of
from scinfill.methods.layers import checked_block, imputed_block
from scinfill.numerics.blocks import row_slices
from scinfill.reporting import honesty, known_cells, page, style
from scinfill.reporting.build import figure_files, pictures
from scinfill.reporting.figures import imputation
from scinfill.reporting.page import Chapter, Part
from scinfill.reporting.report import Report
from scinfill.reporting.results import INPUT, Setting, collect, percent
from scinfill.reporting.sections import sections_of
from scinfill.reporting.sentences import Sentence
from scinfill.reporting.steps import parameters_table, step_in_words
from scinfill.reporting.tables import plain
from scinfill.schema import GATE, IMPUTED_SD, MARKERS, NULL_GENE, OBSERVED_WEIGHT, UNS

TITLE = "What was done to this file?"
BINS = 60
HALF_A_COUNT = float(np.log2(1.5))
MARKERS_A_GROUP = 10
MARKER_COLUMNS = ("group", "gene", "log2fc", "log2fc_low", "log2fc_high", "log2fc_counts", "p_adjusted", "supported")
SHOWN_SECTIONS = ("structure", "calibration", "genes")
"""Of an evaluation, what is told of one file; whether imputing helped takes the rest of it."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """The table with what the page asks of it, each computed once.

    Attributes
    ----------
    adata
        Any table that scinfill worked on.
    name
        How the page calls it.
    settings
        What ``evaluate`` says of it, if it was asked.
    """

    adata: AnnData
    name: str
    settings: Sequence[Setting]

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """What was done, first step first."""
        return provenance.steps(self.adata)

    @cached_property
    def genes(self) -> NDArray[np.bool_]:
        """Genes that are not null genes, (n_genes,)."""
        if NULL_GENE not in self.adata.var:
            return np.ones(self.adata.n_vars, bool)
        return ~self.adata.var[NULL_GENE].to_numpy(dtype=bool)

    @cached_property
    def gate(self) -> Doubles | None:
        """Gate of the genes; None where there was none."""
        return numbers_of_genes(self.adata, GATE, self.genes)

    @cached_property
    def weight(self) -> Doubles | None:
        """Weight of what was seen; None for other estimates."""
        return numbers_of_genes(self.adata, OBSERVED_WEIGHT, self.genes)

    @cached_property
    def change(self) -> "Change | None":
        """Values before and after; None where nothing was imputed."""
        return compare_values(self.adata, self.genes)


@dataclass(frozen=True)
class Change:
    """Values of ``X`` beside those of ``layers["imputed"]``.

    Attributes
    ----------
    mean
        Mean of ``X`` of each gene, (n_genes,).
    edges
        Of the bins of the three histograms, log2(1 + x).
    seen, imputed_seen, imputed_zero
        Values that were seen, before and after, and what stands where nothing was seen, (n_bins,).
    unchanged, moved
        Share of seen values that are the same to 1e-4, and mean distance by which seen values moved.
    filled
        Share of zeros that are now half a count or more.
    """

    mean: Doubles
    edges: Doubles
    seen: Doubles
    imputed_seen: Doubles
    imputed_zero: Doubles
    unchanged: float
    moved: float
    filled: float


def compare_values(adata: AnnData, genes: NDArray[np.bool_]) -> Change | None:
    """Compare ``X`` with the imputed values of some genes, a block of cells at a time."""
    imputed = imputed_block(adata)
    if imputed is None:
        return None
    before = checked_block(adata, None)
    edges = np.linspace(0, max(1.0, float(adata.X.max())), BINS + 1)
    edges[-1] = np.inf
    total = np.zeros(int(genes.sum()))
    histograms = np.zeros((3, BINS))
    n_seen = n_unchanged = n_filled = 0
    moved = 0.0
    for rows in row_slices(*adata.shape):
        old, new = before(rows)[:, genes], imputed(rows)[:, genes]
        seen = old > 0
        total += old.sum(axis=0, dtype=np.float64)
        for position, values in enumerate((old[seen], new[seen], new[~seen])):
            histograms[position] += np.histogram(np.maximum(values, 0), edges)[0]
        distance = np.abs(new[seen] - old[seen])
        n_seen += int(seen.sum())
        n_unchanged += int((distance <= 1e-4).sum())
        moved += float(distance.sum(dtype=np.float64))
        n_filled += int((new[~seen] >= HALF_A_COUNT).sum())
    edges[-1] = 2 * edges[-2] - edges[-3]
    n_zero = adata.n_obs * int(genes.sum()) - n_seen
    return Change(
        mean=total / adata.n_obs,
        edges=edges,
        seen=histograms[0],
        imputed_seen=histograms[1],
        imputed_zero=histograms[2],
        unchanged=n_unchanged / max(n_seen, 1),
        moved=moved / max(n_seen, 1),
        filled=n_filled / max(n_zero, 1),
    )


def build(
    adata: AnnData,
    name: str,
    *,
    document: Mapping[str, Any] | None = None,
    title: str | None = None,
    with_files: bool = False,
) -> Report:
    """Make the page about one table.

    Parameters
    ----------
    adata
        Any table that scinfill worked on; never changed.
    name
        How the page calls it.
    document
        What ``evaluate`` found of it, for calibration and genes.
    title
        Heading.
    with_files
        Also render every figure as files.

    Raises
    ------
    DataError
        The table holds no record of scinfill, or wrong values.
    """
    validation.check_table(adata)
    subject = Subject(adata, name, collect([(name, document)]) if document else [])
    if not subject.steps:
        raise DataError(
            f"{name} holds no step of scinfill (uns[{UNS!r}]), so there is nothing to tell of it; impute it first, or "
            f"name results of `scinfill evaluate`"
        )
    sentences = _verdict(subject)
    with style.house_style():
        chapters = [chapter for chapter in _chapters(subject) if chapter.part or chapter.chapters]
        html = page.render(
            title or TITLE,
            chapters,
            summary=f"{name}: {adata.n_obs:,} cells × {int(subject.genes.sum()):,} genes.",
            sentences=sentences,
            pictures=pictures(chapters, ("change", "gate", "components", "weights", "coverage")),
        )
        drawn = figure_files(chapters) if with_files else {}
    return Report(html, drawn, sentences)


def _verdict(subject: Subject) -> list[Sentence]:
    change = subject.change
    if change is None:
        text = "No: the file holds no imputed values (scinfill impute-deepmc makes them)."
        return [Sentence("Was anything imputed?", None, "no", text)]
    sentences = [_effect(subject, change)]
    known = knowledge_of(subject.adata)
    if known is not None:
        sentences.append(known_cells.answer({subject.name: known}, None))
    if subject.gate is not None:
        n_open = int((subject.gate > 0).sum())
        text = (
            f"{n_open:,} of {subject.gate.size:,} genes show structure that held-out entries"
            f"{'' if known is None else ' of its training'} support; of the others the model predicts the mean."
        )
        sentences.append(Sentence("For how many genes is there a model?", None, "yes" if n_open else "no", text))
    use = provenance.record(subject.adata).get(provenance.USE)
    if use is not None:
        sentences.append(Sentence("What is it good for?", None, "same", f"{str(use)[0].upper()}{str(use)[1:]}."))
    sentences.append(
        Sentence(
            "Use it to test for differential expression?",
            None,
            "no",
            "No, take p-values from the counts (scinfill markers): imputed values have lost the spread within groups, "
            "not the error of the group.",
        )
    )
    sentences += [found for series in _series(subject) if (found := honesty.intervals(subject.settings, series))]
    text = "This page does not tell. Hide molecules first (scinfill mask), impute, and score (scinfill evaluate)."
    return [*sentences, Sentence("Did it help?", None, "unknown", text)]


def _series(subject: Subject) -> list[str]:
    return list(
        dict.fromkeys(
            record["series"]
            for setting in subject.settings
            for _, record in setting.first.records()
            if record["kind"] == INPUT
        )
    )


def _effect(subject: Subject, change: Change) -> Sentence:
    question = "Did it change the data?"
    numbers = (
        f"values that were seen moved by {change.moved:.2f} log2 units on average, {percent(change.unchanged)} of them "
        f"stayed as they were; {percent(change.filled)} of the zeros are now half a count or more"
    )
    warnings = effect_of(subject.adata).warnings()
    if warnings:
        return Sentence(question, None, "no", f"Hardly: {'; '.join(warnings)}. In numbers: {numbers}.")
    return Sentence(question, None, "yes", f"Yes: {numbers}.")


def _chapters(subject: Subject) -> list[Chapter]:
    told = {section.anchor: part for section, part in _evaluated(subject)}
    return [
        _chapter("done", "What was done", _done(subject)),
        _chapter("gate", "The gate: which genes have structure", _gate(subject)),
        _chapter("weights", "Weights: model or what was seen", _weights(subject)),
        _chapter("unchanged", "What stayed as it was", _unchanged(subject)),
        _chapter("calibration", "Are the intervals honest?", told.get("calibration", _uncertainty(subject))),
        _chapter("structure", "Clusters and components", told.get("structure", Part())),
        _chapter("markers", "Markers", _markers(subject)),
        _chapter("genes", "Genes before and after", told.get("genes", Part())),
        _chapter("making", "How this page was made", Part([f"scinfill {__version__} report."])),
    ]


def _chapter(anchor: str, title: str, part: Part) -> Chapter:
    return Chapter(anchor, title, part, prefix="f", file_prefix="file")


def _evaluated(subject: Subject) -> list[tuple[Any, Part]]:
    return [
        (section, part) for setting in subject.settings for section, part in sections_of(setting, only=SHOWN_SECTIONS)
    ]


def _done(subject: Subject) -> Part:
    sentences = [f"{number}. {step_in_words(step)}" for number, step in enumerate(subject.steps, start=1)]
    return Part(
        [*sentences, "scinfill rerun repeats these steps and says whether the result is the same."],
        [parameters_table(subject.steps)],
    )


def _gate(subject: Subject) -> Part:
    if subject.change is None:
        return Part()
    if subject.gate is None:
        return Part(["There was no gate: every gene's prediction counts in full, whether anything supports it or not."])
    shut = subject.adata.var_names[subject.genes][subject.gate == 0]
    share = percent(1 - len(shut) / subject.gate.size)
    sentence = (
        f"The gate is open for {subject.gate.size - len(shut):,} of {subject.gate.size:,} genes ({share}), on average "
        f"{subject.gate.mean():.2f}."
    )
    names = pd.DataFrame({"gene": shut.astype(str), "mean of log2(1 + x)": subject.change.mean[subject.gate == 0]})
    tables = [plain("Genes whose mean the model predicts", "", names)] if len(shut) else []
    return Part([sentence], tables, [imputation.gate(subject.gate, subject.change.mean)])


def _weights(subject: Subject) -> Part:
    if subject.change is None or subject.weight is None:
        return Part()
    sentence = (
        f"Of a value of the estimate 'shrunk' a share was seen and the rest is the model's: on average over genes "
        f"{percent(float(subject.weight.mean()))} was seen, in {int((subject.weight >= 0.5).sum()):,} genes half or "
        f"more, in {int((subject.weight == 0).sum()):,} nothing."
    )
    return Part([sentence], plots=[imputation.weights(subject.weight, subject.change.mean)])


def _unchanged(subject: Subject) -> Part:
    change = subject.change
    if change is None:
        return Part()
    n_null = int((~subject.genes).sum())
    sentences = [
        "Cells, genes, their order, X, the counts and every column and layer of yours are as they were: imputed values "
        "stand in layers['imputed'] beside them.",
        f"Of the values that were seen, {percent(change.unchanged, 1)} are the same there; of the zeros "
        f"{percent(1 - change.filled, 1)} are still below half a count.",
    ]
    if n_null:
        sentences.append(f"{n_null:,} simulated genes without structure (null genes) are left out on this page.")
    sentences += [f"Nearly everything is as it was: {warning}." for warning in effect_of(subject.adata).warnings()]
    plot = imputation.change(change.edges, change.seen, change.imputed_seen, change.imputed_zero)
    return Part(sentences, plots=[plot])


def _uncertainty(subject: Subject) -> Part:
    """Return what is known of the uncertainty where no held-out molecules were asked."""
    if subject.change is None:
        return Part()
    if IMPUTED_SD not in subject.adata.layers:
        return Part(
            ["No uncertainty was asked for (scinfill impute-deepmc --uncertainty writes layers['imputed_sd'])."]
        )
    return Part(
        [
            "layers['imputed_sd'] says how far the true value may lie from the imputed one. Whether that is honest "
            "takes molecules that the fit did not see: scinfill mask --mode thin, impute, and report that file."
        ]
    )


def _markers(subject: Subject) -> Part:
    found = subject.adata.uns.get(MARKERS)
    if not isinstance(found, pd.DataFrame) or not set(MARKER_COLUMNS) <= set(found.columns):
        return Part(
            [f"None: name labels, as in scinfill report --labels COLUMN; {columns_of_labels(subject.adata, '')}."]
        )
    supported = found[found["supported"].astype(bool) & (found["log2fc"] > 0)]
    best = supported.groupby("group", sort=False, observed=True).head(MARKERS_A_GROUP)
    counted = supported.groupby("group", sort=False, observed=True).size()
    shown = pd.DataFrame(
        {
            "group": best["group"].astype(str),
            "gene": best["gene"].astype(str),
            "log2 fold change": best["log2fc"].astype(float),
            "95 % interval": [
                f"{low:.2f} to {high:.2f}" for low, high in zip(best["log2fc_low"], best["log2fc_high"], strict=True)
            ],
            "of the counts": best["log2fc_counts"].astype(float),
            "adjusted p": [f"{p:.2g}" for p in best["p_adjusted"]],
        }
    )
    sentence = (
        f"Genes higher in a group than in all it was compared with and supported by the counts: "
        f"{', '.join(f'{group} {n:,}' for group, n in counted.items()) or 'none'}. P-values come from the "
        f"counts alone, sizes from the estimate."
    )
    title = f"The {MARKERS_A_GROUP} largest supported markers of each group"
    return Part([sentence], [plain(title, "", shown)] if len(shown) else [])
