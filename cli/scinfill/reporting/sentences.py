"""The sentences with which a page opens."""

from dataclasses import dataclass
from typing import Literal

Answer = Literal["yes", "no", "same", "unknown"]


@dataclass(frozen=True)
class Sentence:
    """One line of the verdict.

    Attributes
    ----------
    question
        What a reader wants to know.
    subject
        The method it is about; None for all together.
    answer
        For the mark beside it.
    text
        Plain words with the numbers behind them.
    """

    question: str
    subject: str | None
    answer: Answer
    text: str
