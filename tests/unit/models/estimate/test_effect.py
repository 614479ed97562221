import pytest

from scinfill.models.estimate.effect import Effect


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Effect(1200, 1195, None), ["1,195 of 1,200 genes show no structure that held-out entries support: they keep"]),
        (Effect(1200, 1080, 0.0), ["1,080 of 1,200 genes show no structure"]),
        (Effect(1200, 1200, 0.4), ["they keep their mean, moved towards what was seen by a mean weight of 0.4"]),
        (Effect(1200, 3, 0.97), ["the output is nearly the input: the mean weight of what was seen is 0.97 of 1"]),
        (Effect(1200, 1195, 0.97), ["the output is nearly the input", "1,195 of 1,200 genes"]),
        (Effect(1200, 1079, 0.89), []),
        (Effect(1200, None, None), []),
        (Effect(0, 0, None), []),
    ],
    ids=str,
)
def test_what_left_nearly_everything_as_it_was_is_said(effect, words):
    warnings = effect.warnings()
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))
