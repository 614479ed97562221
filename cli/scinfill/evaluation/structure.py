"""Structure of cells: whether an estimate brings cells of one label together."""

import numpy as np

from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.numerics import clustering
from scinfill.evaluation.scores import Findings, per_seed, per_unit, rounded

PLOTTED_COMPONENTS = 2
CLUSTERED_COMPONENTS = 20
MOST_PLOTTED = 1000


def kmeans(case: Case, estimate: ScoredMatrix) -> Findings:
    """Cluster all genes of the sampled cells by k-means, as the papers did, once a seed."""
    values = case.values(estimate, case.sample)
    agreement = clustering.kmeans_agreement(values, case.require_labels().codes[case.sample], seeds=case.settings.seeds)
    return Findings({"ari": per_seed(agreement.ari), "nmi": per_seed(agreement.nmi)})


def kmeans_on_components(case: Case, estimate: ScoredMatrix) -> Findings:
    """Cluster 20 principal components of the sampled cells by k-means, once a seed."""
    values = case.values(estimate, case.sample)
    components = clustering.principal_components(values, CLUSTERED_COMPONENTS, seed=case.settings.seed)
    agreement = clustering.kmeans_agreement(
        components, case.require_labels().codes[case.sample], seeds=case.settings.seeds
    )
    return Findings({"ari_20pc": per_seed(agreement.ari), "nmi_20pc": per_seed(agreement.nmi)})


def silhouette(case: Case, estimate: ScoredMatrix) -> Findings:
    """Silhouette of the labels on two principal components, with the points of the plot."""
    codes = case.require_labels().codes[case.sample]
    values = case.values(estimate, case.sample)
    components = clustering.principal_components(values, PLOTTED_COMPONENTS, seed=case.settings.seed)
    findings = Findings({"silhouette": per_unit(clustering.silhouettes(components, codes), of="cells")})
    rng = np.random.default_rng(case.settings.seed)
    plotted = np.sort(rng.permutation(codes.size)[:MOST_PLOTTED])
    findings.details["components"] = {
        "first": rounded(components[plotted, 0], 3),
        "second": rounded(components[plotted, -1], 3),
        "label": [case.require_labels().names[code] for code in codes[plotted]],
        "n_cells": int(codes.size),
    }
    return findings


def separability(case: Case, estimate: ScoredMatrix) -> Findings:
    """Cell-type separability of every pair of labels."""
    labels = case.require_labels()
    pairs = clustering.cell_type_separability(
        case.values(estimate, case.sample), labels.codes[case.sample], correlation=case.settings.correlation
    )
    findings = Findings({"cts": per_unit([pair.cts for pair in pairs], of="label pairs")})
    findings.details["cts_pairs"] = [
        {
            "first": labels.names[pair.first],
            "second": labels.names[pair.second],
            "cts": pair.cts,
            "intra": pair.intra,
            "inter": pair.inter,
        }
        for pair in pairs
    ]
    return findings
