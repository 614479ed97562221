"""Where 90 % intervals cover what they promise: by expression, library size and label.

    python benchmarks/strata.py DATA_FOLDER

Molecules are held out, a tenth or half of them, the rest is imputed with `--uncertainty`, and `evaluate` looks in every
decile of the genes' expression, quartile of the cells' library size and label of 1,000 entries or more. The command
prints the table of "Coverage where it is hard" in benchmarks/calibration.md.
"""

import sys
from pathlib import Path

import anndata

import scinfill
from scinfill.evaluation.case import Settings
from scinfill.evaluation.evaluate import run
from scinfill.evaluation.scorecard import OF_ONE_FILE
from scinfill.reporting.honesty import in_words, judged_strata

DATA = ("pbmc3k", "zeisel_subset", "scmix_3lines_celseq2", "tung_partial")
METHODS = {"deepmc": scinfill.impute_deepmc, "auto": scinfill.impute_auto}
HEAD = "| data | method | held out | over all | strata | outside .88–.92 | beyond chance | top decile | the worst |"


def main(folder: Path) -> None:
    """Print a row for each data set, method and share of held-out molecules."""
    print(HEAD, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |", sep="\n")
    for name in DATA:
        prepared = scinfill.preprocess(anndata.read_h5ad(folder / f"{name}.h5ad"))
        for method, impute in METHODS.items():
            for mode in ("thin", "halves"):
                imputed = impute(scinfill.mask(prepared, mode=mode), uncertainty=True)
                print(row(name, method, imputed), flush=True)


def row(name: str, method: str, imputed: anndata.AnnData) -> str:
    """Return what the held-out molecules of one imputed table say."""
    document = run([(method, imputed)], Settings(labels="cell_type"), experiments=OF_ONE_FILE).document
    record = document["estimates"][method]
    strata = judged_strata(record["details"]["calibration"])
    top = strata[strata["decile"] == 10]
    cells = [
        name,
        method,
        f"{100 * document['data'][0]['mask']['fraction']:.0f} %",
        f"{record['scores']['coverage_90']['value']:.3f}",
        f"{len(strata)} of {len(record['details']['calibration']['by_stratum'])}",
        int(strata["outside"].sum()),
        int(strata["surely"].sum()),
        f"{(top['coverage'] * top['n']).sum() / top['n'].sum():.3f}",
        in_words(strata.iloc[0].to_dict()),
    ]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
