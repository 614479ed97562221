"""Train a model for new cells, beside the imputation of its own."""

from typing import Any, Literal, NamedTuple

from anndata import AnnData

from scinfill.errors import InputError
from scinfill.methods.autoimpute import AutoImpute
from scinfill.methods.deepmc import DeepMc, deepmc
from scinfill.methods.imputer import impute
from scinfill.methods.settings import check_choice


class Trained(NamedTuple):
    """The imputed training cells, and the model: a table of the genes and no cells."""

    imputed: AnnData
    model: AnnData


def train_model(adata: AnnData, method: Literal["deepmc", "auto"] = "deepmc", **options: Any) -> Trained:  # noqa: ANN401 - of either method
    """Impute, and return beside the result the model, by which new cells are imputed without training.

    Parameters
    ----------
    adata
        ``X`` on the scale log2(1 + counts / size_factor), as :func:`scinfill.preprocess` makes it; never changed.
    method
        Whose model: that of :func:`scinfill.impute_deepmc` or of :func:`scinfill.impute_auto`.
    options
        Those of that function. Estimate ``detected`` and the paper preset have no model of other cells.

    Returns
    -------
    ``imputed``, what the function returns, and ``model``: a table of the genes without cells, which can be written as
    H5AD and goes as ``model`` to that function and as ``like`` to :func:`scinfill.preprocess`.

    Raises
    ------
    InputError
        Settings that contradict each other or the data.
    DataError
        Wrong values or another scale.

    Examples
    --------
    >>> import scinfill
    >>> counts = scinfill.simulate(n_cells=80, n_genes=60)
    >>> imputed, model = scinfill.train_model(scinfill.preprocess(counts[:60]), rank=2)
    >>> scinfill.impute_deepmc(counts[60:], model=model).obs["model_fit"].shape
    (20,)
    """
    check_choice("method", method, ("deepmc", "auto"))
    kind: type[DeepMc | AutoImpute] = DeepMc if method == "deepmc" else AutoImpute
    try:
        settings = kind(**options)
    except TypeError as error:  # in the words of the function, not of its settings
        said = str(error).removeprefix(f"{kind.__name__}.__init__()")
        raise TypeError(f"train_model() of method {method!r}{said}") from None
    imputation = (
        deepmc(adata, settings, with_model=True)
        if isinstance(settings, DeepMc)
        else impute(adata, settings, with_model=True)
    )
    if imputation.model is None:
        raise InputError("with `model` nothing is trained; leave it out, or call the function of the method")
    return Trained(imputation.to_anndata(), imputation.model)
