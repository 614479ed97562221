#!/usr/bin/env bash
# Makes the files that the tests in the wrappers name, so that the repository holds no binary files:
#   containers/galaxy/make_test_data.sh && planemo test containers/galaxy
# Needs scinfill on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p test-data
scinfill simulate --cells 60 --genes 60 --seed 1 -o test-data/counts.h5ad
python - <<'END'
import anndata

counts = anndata.read_h5ad("test-data/counts.h5ad")
counts.to_df().astype(int).to_csv("test-data/counts.tsv", sep="\t")
END
scinfill preprocess --n-genes all test-data/counts.h5ad -o test-data/log.h5ad
scinfill mask --mode thin --null-genes 5 test-data/log.h5ad | scinfill impute-deepmc -o test-data/imputed.h5ad
