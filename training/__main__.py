"""The command line of training: `python -m training COMMAND`; `--help` lists the commands."""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial
from io import TextIOWrapper
from pathlib import Path

try:
    from training import report
    from training.config import PLACES, RunConfig, as_word
    from training.naming import Labelled, name_directions
    from training.neighbours import index_rows
    from training.processes import Team, joined
    from training.progress import bar
    from training.published import Given, Opened, measure, open_published
    from training.run import Outcome, follow, recipe_named, run
    from training.sweep import conclusions, sweep, table
except ModuleNotFoundError as error:
    sys.exit(f"training needs the package {error.name}: pip install 'latentd[training]'")

from model_store import Figure, StoreError, store_path
from training.errors import ConfigError, Interrupted, TrainingError
from training.recipes import RECIPES

EXAMPLES = """examples:
  python -m training recipes
  python -m training run digits
  python -m training run mnist_quick data=PATH/TO/MNIST
  python -m training run mnist_quick data=PATH/TO/MNIST latent_dim=32 name=wide
  python -m training run mnist data=PATH/TO/MNIST resume=true
  torchrun --nproc-per-node 2 -m training run mnist data=PATH/TO/MNIST
  python -m training run conv data=PHOTOS
  python -m training run vectors source=table data=TABLE.csv
  python -m training sweep digits beta=0.25,0.5,1,2,4
  python -m training evaluate mnist --data PATH/TO/MNIST --samples 5000
  python -m training directions mnist --data PATH/TO/MNIST
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed, 130 interrupted."""
    _print_anything()
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace, Team], None] = chosen.command
    with joined() as team:
        try:
            command(chosen, team)
        except Interrupted as error:
            return _end(130, str(error), team)
        except KeyboardInterrupt:
            return _end(130, "stopped", team)
        except (TrainingError, StoreError) as error:
            return _end(1, f"error: {error}", team)
        except OSError as error:
            return _end(1, f"error: {error}; what was saved before is whole", team)
    return 0


def _print_anything() -> None:
    """What a screen cannot show, such as names that are no UTF-8, is written as \\xNN there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end(status: int, why: str, team: Team) -> int:
    """The reason on the screen, once where several processes end for it."""
    if team.leads:
        print(why, file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train a variational autoencoder and publish it to the model store.",
        epilog=EXAMPLES,
        formatter_class=plain,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "run",
        help="train a recipe and publish what comes of it",
        description="Train a recipe, with keys of your own over its configuration.",
        epilog=f"keys (and what holds where neither you nor the recipe says otherwise):\n{_keys()}",
        formatter_class=plain,
    )
    train.add_argument("recipe", metavar="RECIPE", help="a name from `python -m training recipes`")
    train.add_argument("words", metavar="key=value", nargs="*", help="see below")
    train.set_defaults(command=_run)
    _add_sweep(commands)
    _add_again(commands)

    names = commands.add_parser("recipes", help="list the recipes and the figures they reach")
    names.set_defaults(command=_recipes)
    return parser


def _add_again(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """What is done with models that are published already."""
    plain = argparse.RawDescriptionHelpFormatter
    again = commands.add_parser(
        "evaluate",
        help="measure a published model on test data",
        description="Estimate -ELBO, its parts and the NLL of a published model on test rows.",
    )
    _add_published(again)
    again.add_argument("--samples", type=_positive, default=5000, help="importance samples a row")
    again.add_argument("--rows", type=_positive, default=None, help="only the first so many rows")
    again.set_defaults(command=_evaluate)

    naming = commands.add_parser(
        "directions",
        help="name directions in the latent space of a published model, by labelled rows",
        description=(
            "Publish the model's next version, the same module, with the centroid of each class\n"
            "of the training rows and, of at most ten classes, the difference of each pair."
        ),
        formatter_class=plain,
    )
    _add_published(naming)
    naming.add_argument(
        "--labels", type=Path, default=None, help=".npy or .csv; default: the data's own"
    )
    naming.add_argument("--column", default=None, help="of a .csv file of labels")
    naming.set_defaults(command=_directions)

    indexing = commands.add_parser(
        "neighbours",
        help="publish training rows beside a model, of which the service finds the nearest",
        description=(
            "Publish the model's next version, the same module, with training rows and their\n"
            "latents beside it. Whoever reads the store reads these rows."
        ),
        formatter_class=plain,
    )
    _add_published(indexing)
    indexing.add_argument("--rows", type=_positive, default=60_000, help="at most so many")
    indexing.set_defaults(command=_neighbours)


def _add_published(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="name or name@version")
    command.add_argument(
        "--store", type=Path, default=None, help="default: $LATENTD_STORE, or ours"
    )
    command.add_argument("--data", type=Path, default=None, help="file or folder of the data")
    command.add_argument("--source", default=None, help="default: the one it was trained from")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    command.add_argument("--threads", type=_positive, default=1, help="CPU threads")


def _add_sweep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    each = commands.add_parser(
        "sweep",
        help="train a recipe with each of several values of a key, and compare",
        description=(
            "Train a recipe once for each value of one key; nothing is published without\n"
            "publish=true. A sweep that was stopped goes on when it is called again."
        ),
        epilog=f"keys (and what holds where neither you nor the recipe says otherwise):\n{_keys()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    each.add_argument("recipe", metavar="RECIPE", help="a name from `python -m training recipes`")
    each.add_argument(
        "over",
        metavar="KEY=VALUE,VALUE",
        help="key and values, with / between values that have commas: encoder=400/400,200",
    )
    each.add_argument("words", metavar="key=value", nargs="*", help="what holds for all of them")
    each.set_defaults(command=_sweep)


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not at least 1")
    return number


def _keys() -> str:
    return "\n".join(
        f"  {name:15} {field.description} [{as_word(field.default)}]"
        for name, field in RunConfig.model_fields.items()
    )


def _run(chosen: argparse.Namespace, team: Team) -> None:
    if not team.leads:
        follow(chosen.recipe, chosen.words, team)
        return
    outcome = run(chosen.recipe, chosen.words, team)
    _print_figures(outcome.figures)
    if {word.partition("=")[0] for word in chosen.words} <= PLACES:
        _print_targets(chosen.recipe, outcome.figures)
    for note in outcome.notes:
        print(note)
    print(f"report: {outcome.folder / report.FILE} (log, curves and pictures beside it)")
    _print_next(outcome)


def _print_next(outcome: Outcome) -> None:
    if outcome.published is None:
        return
    model = outcome.published.name
    store = "" if outcome.store == store_path() else f"LATENTD_STORE={outcome.store} "
    numbers = "" if outcome.kind == "image" else "&format=json"
    url = f"http://127.0.0.1:8000/models/{model}/sample?n=16&seed=1{numbers}"
    print(f"published: {outcome.published} in {outcome.store}")
    print(f"serve it:  {store}make serve, then open {url}")


def _sweep(chosen: argparse.Namespace, team: Team) -> None:
    if team.size > 1:
        raise ConfigError("a sweep takes its runs one after the other: start it without torchrun")
    found = sweep(chosen.recipe, chosen.over, chosen.words, lambda line: print(line, flush=True))
    print(table(found), *conclusions(found), sep="\n")
    print(f"table, picture and a folder for each run: {found.folder}/")


def _evaluate(chosen: argparse.Namespace, _team: Team) -> None:
    opened = _opened(chosen)
    found = measure(opened, chosen.samples, chosen.rows, bar)
    print(opened.model)
    _print_figures(found.figures)
    rates = " ".join(f"{rate:.2f}" for rate in found.posteriors.rates.tolist())
    print(f"nats of each dimension, {found.posteriors.measured_against}: {rates}")
    _note_other_data(opened)


def _directions(chosen: argparse.Namespace, _team: Team) -> None:
    opened = _opened(chosen)
    labelled = Labelled(chosen.labels, chosen.column)
    store = chosen.store or store_path()
    done = name_directions(opened, store, labelled, partial(bar, what="encoding rows"))
    print(*done, sep="\n")
    _note_other_data(opened)


def _neighbours(chosen: argparse.Namespace, _team: Team) -> None:
    opened = _opened(chosen)
    encoding = partial(bar, what="encoding rows")
    store = chosen.store or store_path()
    print(*index_rows(opened, store, chosen.rows, encoding), sep="\n")
    _note_other_data(opened)


def _opened(chosen: argparse.Namespace) -> Opened:
    """The model of the command line and its data, of which it is said what was decided."""
    given = Given(chosen.data, chosen.source, chosen.device, chosen.threads)
    opened = open_published(chosen.model, chosen.store or store_path(), given)
    for note in opened.dataset.notes:
        print(note)
    return opened


def _note_other_data(opened: Opened) -> None:
    if not opened.same_data():
        print("note: these are not the rows that the model was trained and tested on")


def _recipes(_chosen: argparse.Namespace, _team: Team) -> None:
    for name in RECIPES:
        recipe = recipe_named(name)
        print(f"{name:20} {recipe.summary}")
        figures = [f"{target.figure} ≤ {target.at_most:g}" for target in recipe.targets]
        if figures:
            print(f"{'':20} reaches {', '.join(figures)}{'; ' * bool(recipe.cost)}{recipe.cost}")


def _print_figures(figures: Iterable[Figure]) -> None:
    for figure in figures:
        print(f"{figure.name:20} {figure.value:10.4f} {figure.unit:10} {figure.estimator}")


def _print_targets(recipe: str, figures: Iterable[Figure]) -> None:
    values = {figure.name: figure.value for figure in figures}
    for target in recipe_named(recipe).targets:
        reached = "reached" if values[target.figure] <= target.at_most else "NOT reached"
        print(f"{reached}: {target.figure} ≤ {target.at_most:g}")


if __name__ == "__main__":
    sys.exit(main())
