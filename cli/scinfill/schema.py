"""Every name that a scinfill file uses, once. See docs/reference/file-format.md for what each slot holds."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

# layers
COUNTS: Final = "counts"
"""Raw counts of the genes in ``X``."""
HELDOUT: Final = "heldout"
"""CSR truth at hidden positions on the scale of ``X``; a hidden zero is a *stored* zero."""
HELDOUT_COUNTS: Final = "heldout_counts"
"""CSR molecules that thinning (``mask --mode thin`` or ``halves``) took out of ``counts``."""
IMPUTED: Final = "imputed"
"""float32 estimate at every position, on the scale of ``X``."""
IMPUTED_SD: Final = "imputed_sd"
"""Posterior standard deviation of the estimate, on the scale of ``X``."""
DENOISED: Final = "denoised"
"""float32 expected counts, (2^imputed - 1) times the size factor: what the Open Problems denoising task reads."""
TRUTH: Final = "truth"
"""Simulated true mean expression on the scale of ``X`` (``simulate``)."""
COUNTS_BEFORE_DROPOUT: Final = "counts_before_dropout"
"""Simulated counts before zero inflation (``simulate --dropout``)."""

# obs
TOTAL_COUNTS: Final = "total_counts"
SIZE_FACTOR: Final = "size_factor"
"""``total_counts / median``, so that ``X = log2(1 + counts / size_factor)``."""

# var
N_CELLS: Final = "n_cells"
MEAN: Final = "mean"
DISPERSION: Final = "dispersion"
DISPERSION_NORM: Final = "dispersion_norm"
NULL_GENE: Final = "null_gene"
"""True for a gene drawn by ``mask --null-genes``: nothing but library size varies over its cells."""
HELDOUT_R2: Final = "heldout_r2"
GATE: Final = "imputation_gate"
"""0..1, the share of the model's deviation from the gene mean that held-out entries support."""
OBSERVED_WEIGHT: Final = "observed_weight"
"""w_g, the share of the way from the model to what was seen (estimate ``shrunk``)."""
DE_TRUTH_PREFIX: Final = "is_de_"
"""``is_de_A_vs_B``: whether the gene differs between labels A and B; missing where bulk data could not tell."""

MODEL_FIT: Final = "model_fit"
"""Of a new cell: how well a saved model knows it, in standard deviations of its training cells; 0 is their average."""

# obsm, varm
CELL_FACTORS: Final = "X_deepmc"
GENE_FACTORS: Final = "deepmc"
CELL_GROUPS: Final = "X_deepmc_groups"
"""The group of every cell in each grouping of the local calibration, as a column of ``GROUP_FACTORS``."""
GROUP_FACTORS: Final = "deepmc_groups"
"""What a gene's rate is multiplied by in every group, genes × groups; a cell takes the mean over its groups."""
BATCH_OFFSETS: Final = "batch_offsets"
"""β, genes × batches in the order of the record's names: log rates (Poisson loss) or log2 values (squared)."""
PROTEIN: Final = "protein"
"""Counts of antibodies against surface proteins (CITE-seq), a frame of cells × proteins (``preprocess --proteins``)."""
BULK: Final = "bulk"
"""Bulk counts, genes × libraries; a library's name starts with its label."""
TRUE_PROFILES: Final = "true_profiles"
"""Simulated mean counts of each cell type in a cell of median depth, genes × types."""
MEASURED: Final = "measured"
"""Of tables joined with all genes: a frame, genes × samples, of whether the sample measured the gene."""

MODEL_OFFSET: Final = "model_offset"
"""μ: the model's prediction is μ + Z·D."""
MODEL_BASE: Final = "model_base"
MODEL_GAIN: Final = "model_gain"
"""Gated mean = base + gain · model, where the model is exp(μ + Z·D) (Poisson loss) or μ + Z·D (squared)."""
MODEL_SCALE: Final = "model_scale"
"""Factor on the rate 2^value − 1 of a squared-loss model whose totals were matched."""

MODEL_MEAN: Final = "model_mean"
"""Of a saved model: counts per unit size factor over its training cells; without counts the mean log2 value."""
MODEL_DISPERSION: Final = "model_dispersion"
"""Of a saved model: the spread around its expectation among training cells, by which ``model_fit`` weighs genes."""
GENE_WEIGHT: Final = "gene_weight"
"""Of a saved model with the squared loss: what each gene counts where a new cell's factors are solved."""
POSTERIOR_SHAPE: Final = "posterior_shape"
"""Of a saved model: a_g of the posterior from which ``imputed_sd`` is computed."""
GROUPING_MEAN: Final = "grouping_mean"
GROUPING_COMPONENTS: Final = "grouping_components"
"""Of a saved model, in ``var`` and ``varm``: where a cell lies among the centres of the local calibration's groups."""
INPUT_CENTRE: Final = "input_centre"
INPUT_SPREAD: Final = "input_spread"
INPUT_OFFSETS: Final = "input_offsets"
"""Of a saved network, in ``var`` and ``varm``: what its inputs are centred and divided by, and what batches add."""

# uns
SAVED_MODEL: Final = "scinfill_model"
"""What a saved model keeps beside its genes' columns; a table that has it holds no cells."""
DEPTH_GENES: Final = "depth_genes"
"""In ``uns["scinfill"]``: the genes whose counts make up a cell's total, and their means per unit size factor."""
MARKERS: Final = "scinfill_markers"
"""The table of :func:`scinfill.markers`, one row a group and gene."""
RANKED_GENES: Final = "rank_genes_groups"
"""Where scanpy keeps the markers that its plots show."""
MODEL: Final = "model"
"""In ``uns["scinfill"]``: what the factors are factors of, one of MODELS."""
ModelKind = Literal["poisson", "squared", "detected", "as-is"]
BATCHES: Final = "batches"
"""In ``uns["scinfill"]``: the column of ``obs``, the names of its batches in order, and what was done with them."""
CURVE: Final = "detected_curve"
"""(n_nodes, 2): the monotone curve of ``detected``, from prediction to value."""
DATASET_ID: Final = "dataset_id"
METHOD_ID: Final = "method_id"
"""Whose data and whose work ``layers["denoised"]`` is, for the Open Problems denoising task."""
UNS: Final = "scinfill"
LOG1P: Final = "log1p"
"""Where scanpy looks for the base of the logarithm."""
LOG_BASE: Final = 2.0
SCALE: Final = "log2(1 + counts / size_factor)"

EstimateKind = Literal["shrunk", "model", "detected"]
ESTIMATES: Final[tuple[EstimateKind, ...]] = get_args(EstimateKind)
OF_MEANS: Final = (
    "looking at cells, clustering, means of few cells; a gene without supported structure is predicted by its mean; "
    "test for differential expression on the counts (scinfill markers), not on these values"
)
USES: Final[Mapping[EstimateKind, str]] = {
    "shrunk": OF_MEANS,
    "model": OF_MEANS,
    "detected": "filling hidden values; neither for correlation nor for differential expression",
}
"""What each estimate is good for, as its file says in ``uns["scinfill"]["use"]``."""
BatchEffectKind = Literal["keep", "remove"]
"""Whether imputed values are those of the cell's own batch, or of the average batch."""
Preset = Literal["recommended", "paper"]
Keep = Literal["none", "observed", "max"]
Form = Literal["dense", "factors"]
"""Whether a deepMc result holds the dense layer, or only the factors that it is made of."""
JoinedGenes = Literal["common", "all"]
"""Which genes of several tables a joined one has."""
MaskMode = Literal["nonzero", "entries", "thin", "halves"]
MASK_MODES: Final[tuple[MaskMode, ...]] = get_args(MaskMode)
CountsKind = Literal["umi", "reads"]
Baseline = Literal["gene-mean", "als", "nuclear-norm", "svd", "magic"]
BASELINES: Final[tuple[Baseline, ...]] = get_args(Baseline)

MIN_READS_PER_MOLECULE: Final = 6.0
"""So many counts or more for each molecule that the zeros imply are copies: reads. See benchmarks/umi_or_reads.md."""
SPIKE_IN_PREFIX: Final = "ERCC-"
