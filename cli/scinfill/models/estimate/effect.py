"""Summarise what an estimate changed: the share that comes from the model, and the number of genes that it changed."""

from dataclasses import dataclass

NEARLY_ALL = 0.9
"""Share of what was seen in the values, or of genes without structure, from which it is said."""


@dataclass(frozen=True)
class Effect:
    """Summary over all genes of what was learned.

    Attributes
    ----------
    n_genes
        Genes that were imputed, without null genes.
    genes_gated_shut
        Genes whose gate is 0, None where there was no gate.
    mean_observed_weight
        Mean over genes of w_g, the share of what was seen in the estimate ``shrunk``; None for other estimates.
    """

    n_genes: int
    genes_gated_shut: int | None = None
    mean_observed_weight: float | None = None

    def warnings(self) -> list[str]:
        """Return one sentence, without its full stop, for each reason why nearly everything is as it was."""
        found = []
        weight = self.mean_observed_weight or 0.0
        if weight >= NEARLY_ALL:
            found.append(f"the output is nearly the input: the mean weight of what was seen is {weight:.3g} of 1")
        if self.genes_gated_shut is not None and self.genes_gated_shut >= NEARLY_ALL * self.n_genes > 0:
            moved = f", moved towards what was seen by a mean weight of {weight:.3g}" if weight else ""
            found.append(
                f"{self.genes_gated_shut:,} of {self.n_genes:,} genes show no structure that held-out entries support: "
                f"they keep their mean{moved}"
            )
        return found
