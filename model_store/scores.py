"""How the scores of the rows that a model was trained on are distributed.

Knows numbers, not the models and rows that they come from.
"""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from model_store.probe import Record

PERCENTS = range(101)


class Scores(Record):
    """What the -ELBO of a row of training data is under the model, in nats a row.

    It is estimated as the figures are, for `rows` rows chosen by `seed`, with `draws` posterior
    draws a row; where the likelihood is of black and white, of rows that were binarized once.
    """

    quantiles: tuple[float, ...]
    """[101]: `quantiles[p]` is what p % of the rows do not exceed; the first is the least of them,
    the last the largest."""
    rows: Annotated[int, Field(ge=1)]
    draws: Annotated[int, Field(ge=1)]
    seed: int

    @model_validator(mode="after")
    def _quantiles_rise(self) -> Self:
        if len(self.quantiles) != len(PERCENTS):
            raise ValueError(
                f"{len(self.quantiles)} quantiles: from 0 % to 100 % there are {len(PERCENTS)}"
            )
        for percent, (before, here) in enumerate(pairwise(self.quantiles), start=1):
            if here < before:
                raise ValueError(
                    f"the quantile of {percent} % is {here:g}, below the {before:g} of "
                    f"{percent - 1} %: quantiles never fall"
                )
        return self
