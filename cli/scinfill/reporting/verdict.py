"""The verdict in plain words: whether to cluster on it, what speaks against tests on it, which method is worth it."""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np
import pandas as pd

from scinfill.reporting import batches, holding, honesty, known_cells, witnesses
from scinfill.reporting.comparable import DETECTED, across, asked_of, changes_of, fair, of_estimates
from scinfill.reporting.results import INPUT, Setting, effects_of, percent, signed
from scinfill.reporting.sentences import Sentence

LARGEST_NULL_SHARE = 0.02
"""More null genes than this called DE beyond those of the raw data is signal that the method invented."""
LARGEST_PAIR_SHARE = 0.01
"""More pairs of null genes than this correlate beyond those of the raw data, where few cells do it by chance."""
LARGEST_LEAK = 0.10
"""Library size may make this many more genes "differ" than in the raw data before the verdict warns."""
LARGEST_AUC_LOSS = 0.01
LARGEST_ARI_LOSS = 0.02
SERIOUS_ARI_LOSS = 0.1
"""One dataset that loses more forbids clustering, whatever the others gain."""

TEST_ON_COUNTS = "take p-values from the counts"
WHAT_THE_GUARD_CANNOT_SEE = (
    "That clears genes without any structure only: others can leak into groups in which they do not differ, which this "
    "file does not tell (scinfill mask --mode halves)"
)


def verdict(settings: Sequence[Setting], costs: pd.DataFrame | None = None) -> list[Sentence]:
    """Return the verdict on everything that was scored.

    Parameters
    ----------
    settings
        At least one.
    costs
        Columns ``name``, ``seconds`` and ``peak_mib``, where known.
    """
    series = _input_series(settings)
    if not series:
        text = "Only raw data and baselines were scored. Impute a file and evaluate it to learn whether that helps."
        return [Sentence("Was anything imputed?", None, "unknown", text)]
    sentences = [sentence for name in series if (sentence := _effect(settings, name))]
    sentences += [sentence for name in series if (sentence := known_cells.of_results(settings, name))]
    sentences += [_clustering(settings, name) for name in series]
    sentences += [_differential(settings, name) for name in series]
    sentences += [sentence for name in series if (sentence := _fold_changes(settings, name))]
    sentences += _witnesses(settings, series)
    sentences += [sentence for name in series if (sentence := honesty.intervals(settings, name))]
    sentences += [
        Sentence(question, name, *answer) for name in series for question, answer in batches.answers(settings, name)
    ]
    return [*sentences, _recovery(settings), _recommendation(settings, series), _cost(costs, series)]


def _input_series(settings: Sequence[Setting]) -> list[str]:
    scores = pd.concat([setting.scores for setting in settings])
    return list(scores.loc[scores["kind"] == INPUT, "series"].drop_duplicates())


def _effect(settings: Sequence[Setting], name: str) -> Sentence | None:
    """Return what is to be known before any score, if there is anything: nearly everything is as it was."""
    by_dataset = effects_of(settings, name)
    said = [
        f"on {dataset}, {warning}" if len(by_dataset) > 1 else warning
        for dataset, effect in by_dataset.items()
        for warning in effect.warnings()
    ]
    return Sentence("Did it change the data?", name, "no", f"Hardly: {'; '.join(said)}.") if said else None


def _clustering(settings: Sequence[Setting], name: str) -> Sentence:
    question = "Use it for clustering?"
    changes = changes_of(settings, "ari", name)
    if changes.empty:
        return Sentence(question, name, "unknown", f"Not tested: {_reason(settings, 'ari', name)}.")
    gain = changes["value"] - changes["raw"]
    better = int((gain > np.maximum(changes["spread"], 1e-9)).sum())
    worse = int((gain < -np.maximum(changes["spread"], LARGEST_ARI_LOSS)).sum())
    numbers = (
        f"k-means finds the labels with ARI {signed(changes['value'].mean(), 2)}, in the raw data "
        f"{signed(changes['raw'].mean(), 2)}"
        f"{_on_average(len(changes))}{_silhouettes(settings, name)}"
    )
    worst = changes.loc[gain.idxmin()]
    fall = f"on {worst['dataset']} the ARI falls from {worst['raw']:.2f} to {worst['value']:.2f}"
    mostly_better = better > worse and gain.mean() > 0
    if worse and (not mostly_better or gain.min() < -SERIOUS_ARI_LOSS):
        return Sentence(question, name, "no", f"No. {numbers}. {fall[0].upper()}{fall[1:]}.")
    if mostly_better:
        beyond = f"beyond the spread in {better} of {len(changes)}" if len(changes) > 1 else "beyond the spread"
        but = f"worse in {worse}: {fall}" if worse else "nowhere worse"
        return Sentence(question, name, "yes", f"Yes. {numbers}. The ARI is better {beyond}, {but}.")
    text = f"It makes no difference. {numbers}. A difference this small may come by chance."
    return Sentence(question, name, "same", text)


def _silhouettes(settings: Sequence[Setting], name: str) -> str:
    changes = changes_of(settings, "silhouette", name)
    if changes.empty:
        return ""
    return f"; silhouette {signed(changes['value'].mean(), 2)}, raw {signed(changes['raw'].mean(), 2)}"


def _on_average(n_settings: int) -> str:
    return f" (mean of {n_settings} evaluations)" if n_settings > 1 else ""


def _differential(settings: Sequence[Setting], name: str) -> Sentence:
    """Say no, whatever the scores: the spread within groups is smoothed away.

    What the untouched half of the molecules says comes first, where one was kept; genes without structure say how bad
    it is, not that a test would be sound.
    """
    question = "Use it to test for differential expression?"
    null, auc = changes_of(settings, "null_de", name), changes_of(settings, "de_auc", name)
    faults, halves = _faults(settings, name), holding.invented(settings, name)
    if faults:
        said = f"No, {TEST_ON_COUNTS}: {'; '.join(faults)}"
    elif null.empty and halves is None:
        untested = f"Whether it invents differences was not tested: {_reason(settings, 'null_de', name)}"
        return Sentence(question, name, "no", f"No, {TEST_ON_COUNTS}. {untested}.")
    else:
        said = f"No, {TEST_ON_COUNTS}"
    found = [said, *filter(None, [halves])]
    if not faults and not null.empty:
        known = f"; genes known from bulk data: {_aucs(auc)}" if not auc.empty else ""
        found.append(f"{_nothing_invented(null) or _worst_invented(null)}{known}")
        found += [WHAT_THE_GUARD_CANNOT_SEE] if halves is None else []
    return Sentence(question, name, "no", f"{'. '.join(found)}.")


def _fold_changes(settings: Sequence[Setting], name: str) -> Sentence | None:
    answered = holding.sizes(settings, name)
    return None if answered is None else Sentence("Take sizes of differences from it?", name, *answered)


def _witnesses(settings: Sequence[Setting], series: Sequence[str]) -> list[Sentence]:
    """Return what proteins and a known gradient say of every input, where there were any."""
    return [
        Sentence(question, name, *answered)
        for question, answer in (
            ("Is it nearer to surface proteins?", witnesses.proteins),
            ("Does it show the known gradient?", witnesses.gradient),
        )
        for name in series
        if (answered := answer(settings, name))
    ]


def _reason(settings: Sequence[Setting], metric: str, name: str) -> str:
    """Return why an input has no such score, in the words of the evaluation; one of several reasons will do."""
    reasons = [
        record["skipped"].get(metric)
        for setting in settings
        for replicate in setting.replicates
        for _, record in replicate.records()
        if record["series"] == name and record["kind"] == INPUT
    ]
    return next(filter(None, reasons), "it was not scored beside the raw data")


def _faults(settings: Sequence[Setting], name: str) -> list[str]:
    """Return what shows that an input invents differences, each with the raw data's number beside it."""
    null, pairs = changes_of(settings, "null_de", name), changes_of(settings, "null_pairs", name)
    leak, auc = changes_of(settings, "size_leak", name), changes_of(settings, "de_auc", name)
    faults = []
    if not null.empty and _invents(null, LARGEST_NULL_SHARE).any():
        faults.append(_worst_invented(null))
    if not pairs.empty and _invents(pairs, LARGEST_PAIR_SHARE).any():
        row = pairs.loc[(pairs["value"] - pairs["raw"]).idxmax()]
        faults.append(f"{percent(row['value'])} of pairs of independent genes correlate (raw: {percent(row['raw'])})")
    if not leak.empty and (leak["value"] - leak["raw"]).max() > LARGEST_LEAK:
        row = leak.loc[(leak["value"] - leak["raw"]).idxmax()]
        faults.append(
            f"library size alone makes {percent(row['value'])} of genes differ within a label "
            f"(raw: {percent(row['raw'])})"
        )
    if not auc.empty and (auc["value"] - auc["raw"]).mean() < -LARGEST_AUC_LOSS:
        faults.append(f"it ranks the genes known from bulk data worse ({_aucs(auc)})")
    return faults


def _invents(shares: pd.DataFrame, most: float) -> pd.Series:
    """Tell by evaluation whether more signal is found where there is none than in the raw data.

    Where the raw data show much by chance, as pairs of genes over few cells do, only more than twice as much counts.
    """
    return (shares["value"] > shares["raw"] + most) & (shares["value"] > 2 * shares["raw"])


def _worst_invented(null: pd.DataFrame) -> str:
    worst = null.loc[(null["value"] - null["raw"]).idxmax()]
    where = f" on {worst['dataset']}, the worst of {len(null)} evaluations" if len(null) > 1 else ""
    return (
        f"{percent(worst['value'], 1)} of the genes without any signal were called differentially expressed "
        f"(raw: {percent(worst['raw'], 1)}){where}"
    )


def _nothing_invented(null: pd.DataFrame) -> str | None:
    """Return the sentence for a perfect score, which no percentage says well."""
    if null["value"].any():
        return None
    where = f" in any of {len(null)} evaluations" if len(null) > 1 else ""
    raw = percent(null["raw"].max(), 1) if null["raw"].any() else "none"
    return f"None of the genes without any signal was called differentially expressed{where} (raw: {raw})"


def _aucs(auc: pd.DataFrame) -> str:
    return f"AUC {auc['value'].mean():.3f}, raw {auc['raw'].mean():.3f}"


def _recovery(settings: Sequence[Setting]) -> Sentence:
    question = "Which fills hidden values best?"
    by_setting = across(settings, "rmse")
    if by_setting.empty:
        return Sentence(question, None, "unknown", "Not tested: no values were hidden (scinfill mask).")
    complete = by_setting.dropna(axis=1)
    means = (complete if not complete.empty else by_setting).mean().sort_values()
    first, *rest = map(str, means.index)
    best = [first, *takewhile(lambda name: _within_spread(settings, "rmse", first, name), rest)]
    others = ", ".join(f"{name} {value:.3f}" for name, value in means.drop(best).items())
    scores = pd.concat([of_estimates(setting.scores, asked_of(settings, "rmse")) for setting in settings])
    asked = scores[(scores["metric"] == "rmse") & (scores["kind"] == INPUT)]
    not_detected = sorted(set(asked.loc[asked["question"] != DETECTED, "series"]))
    values = _listed([f"{means[name]:.3f}" for name in best])
    alike = ", a difference no larger than it varies between masks" if len(best) > 1 else ""
    text = f"{_listed(best)}: RMSE {values} at hidden non-zeros (log2 scale){alike}{f'; {others}' if others else ''}."
    if not_detected:
        text += f" The layers of {', '.join(not_detected)} are not the estimate 'detected', the one for this question."
    is_input = bool({*best} & {*asked["series"]})
    return Sentence(question, None, "yes" if is_input else "no", text)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _within_spread(settings: Sequence[Setting], metric: str, first: str, second: str) -> bool:
    """Whether the ratio of two series, mask by mask, is no further from one than it varies; one mask tells nothing."""
    asked = asked_of(settings, metric)
    ratios: list[float] = []
    for setting in fair(settings, metric):
        rows = of_estimates(setting.scores[setting.scores["metric"] == metric], asked)
        ours, theirs = (rows.loc[rows["series"] == name, "value"].to_numpy() for name in (first, second))
        if len(ours) == len(theirs) and (ours > 0).all() and (theirs > 0).all():
            ratios += list(np.log(ours / theirs))
    return len(ratios) > 1 and bool(abs(np.mean(ratios)) <= np.std(ratios, ddof=1))


def _recommendation(settings: Sequence[Setting], series: Sequence[str]) -> Sentence:
    """Name the method that predicts best what was hidden, among those that show no signal in genes without any.

    Labels choose no method: the clustering that suits them best is no better estimate for that.
    """
    question = "Which method?"
    for metric, deed in (("poisson", "predicts held-out molecules best"), ("rmse", "fills hidden values best")):
        by_setting = across(settings, metric)
        if by_setting.empty:
            continue
        honest = [name for name in by_setting if _is_honest(settings, name)]
        means = by_setting[honest].dropna(axis=1).mean().sort_values()
        if means.empty:
            continue
        best = str(means.index[0])
        others = means.drop(best)
        runner_up = f" against {signed(others.iloc[0])} of {others.index[0]}" if len(others) else ""
        if len(others) and signed(others.iloc[0]) == signed(means[best]):
            runner_up = f", as of {others.index[0]}"
        left_out = [name for name in by_setting if name not in honest]
        excluded = f" Left out for invented signal: {', '.join(left_out)}." if left_out else ""
        text = f"{best} {deed} ({signed(means[best])}{runner_up}; lower is better)"
        if best in series:
            return Sentence(question, None, "yes", f"{text}{_guarded(settings, best)}.{excluded}")
        none = f"Not {series[0]}" if len(series) == 1 else f"None of {', '.join(series)}"
        return Sentence(question, None, "no", f"{none}: {text}.{excluded}")
    untested = "Not tested: no molecules were held out and no values hidden (scinfill mask)."
    return Sentence(question, None, "unknown", untested)


def _guarded(settings: Sequence[Setting], name: str) -> str:
    """Return what the guard found of an honest method, as far as it was asked."""
    guards = {"null_pairs": "correlations", "null_de": "differences"}
    asked = [words for metric, words in guards.items() if name in across(settings, metric)]
    if not asked:
        return ""
    return f" and shows hardly more {' and '.join(asked)} among genes without signal than the raw data"


def _is_honest(settings: Sequence[Setting], name: str) -> bool:
    """Whether a method finds no signal among null genes where the raw data has none; untested methods pass."""
    for metric, most in (("null_de", LARGEST_NULL_SHARE), ("null_pairs", LARGEST_PAIR_SHARE)):
        shares = across(settings, metric)
        if name in shares and _invents(pd.DataFrame({"value": shares[name], "raw": shares["raw"]}), most).any():
            return False
    return True


def _cost(costs: pd.DataFrame | None, series: Sequence[str]) -> Sentence:
    question = "What did it cost?"
    if costs is None or costs.empty:
        return Sentence(question, None, "unknown", "Time and memory were not recorded (scinfill report --cost FILE).")
    groups = costs.groupby("name", sort=False)
    means, runs = groups[["seconds", "peak_mib"]].mean(), groups.size()
    known = [name for name in (*series, *means.index) if name in means.index]
    parts = []
    for name in dict.fromkeys(known):
        memory = means.loc[name, "peak_mib"]
        in_words = f" and {memory / 1024:.1f} GiB" if np.isfinite(memory) else ""
        seconds = means.loc[name, "seconds"]
        parts.append(f"{name} {seconds:.{0 if seconds >= 10 else 1}f} s{in_words}")
    counted = f"{runs.min()}" if runs.min() == runs.max() else f"{runs.min()} to {runs.max()}"
    averaged = "one run each" if runs.max() == 1 else f"means of {counted} runs"
    return Sentence(question, None, "yes", f"{'; '.join(parts)} ({averaged}).")
