"""The recipes by name. A new one is a file beside this one and a line in `RECIPES`."""

from training.recipes import (
    conv,
    digits,
    mnist,
    mnist_8bit,
    mnist_classic,
    mnist_convolutional,
    mnist_deep,
    mnist_iwae,
    mnist_mlp,
    mnist_normal,
    mnist_quick,
    mnist_two_layers,
    vectors,
)
from training.recipes.recipe import Recipe, Target

RECIPES: dict[str, Recipe] = {
    "digits": digits.RECIPE,
    "vectors": vectors.RECIPE,
    "mnist": mnist.RECIPE,
    "mnist_quick": mnist_quick.RECIPE,
    "mnist_mlp": mnist_mlp.RECIPE,
    "mnist_normal": mnist_normal.RECIPE,
    "mnist_iwae": mnist_iwae.RECIPE,
    "mnist_two_layers": mnist_two_layers.RECIPE,
    "mnist_8bit": mnist_8bit.RECIPE,
    "mnist_classic": mnist_classic.RECIPE,
    "mnist_deep": mnist_deep.RECIPE,
    "mnist_convolutional": mnist_convolutional.RECIPE,
    "conv": conv.RECIPE,
}

__all__ = ["RECIPES", "Recipe", "Target"]
