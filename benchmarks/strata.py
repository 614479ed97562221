"""Where the 90 % intervals of deepMc cover what they promise: by expression, library size and label.

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
HEAD = "| data | held out | over all | strata | outside .88–.92 | of these beyond chance | top decile | the worst |"


def main(folder: Path) -> None:
    """Print a row for each data set and share of held-out molecules."""
    print(HEAD, "| --- | --- | --- | --- | --- | --- | --- | --- |", sep="\n")
    for name in DATA:
        prepared = scinfill.preprocess(anndata.read_h5ad(folder / f"{name}.h5ad"))
        for mode in ("thin", "halves"):
            imputed = scinfill.impute_deepmc(scinfill.mask(prepared, mode=mode), uncertainty=True)
            print(row(name, imputed), flush=True)


def row(name: str, imputed: anndata.AnnData) -> str:
    """Return what the held-out molecules of one imputed table say."""
    document = run([("deepmc", imputed)], Settings(labels="cell_type"), experiments=OF_ONE_FILE).document
    record = document["estimates"]["deepmc"]
    strata = judged_strata(record["details"]["calibration"])
    top = strata[strata["decile"] == 10]
    cells = [
        name,
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
