"""search: the recipes of an architecture, tried by Optuna: accuracy against what listening costs.

A study goes on where it stopped, in this process or another, as long as its storage is the same and
so are the clips, the other parameters and the code.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import optuna

from pocketear.base.addresses import redacted
from pocketear.base.errors import DataError, ParamsError, PocketearError, first_line
from pocketear.data.store import open_store
from pocketear.experiments import runs
from pocketear.experiments.client import note
from pocketear.experiments.trial import Figures, judge
from pocketear.params import Params, value_of, with_values
from pocketear.phone.setup import prepare
from pocketear.training.fitting import make_repeatable
from pocketear.training.recipe import recipe_key

if TYPE_CHECKING:
    from optuna import Study, Trial

Choice = int | float
# What a trial may choose, by architecture; the present values are tried first. A pretrained network
# takes the features as they are. One from scratch is normalised by means and scales that belong to
# the front-end of params.yaml, so that is not searched.
SPACES: dict[str, dict[str, tuple[Choice, ...]]] = {
    "yamnet": {
        "model.layers": (3, 4, 5, 6, 7, 8),
        "model.width": (0.5, 0.625, 0.75, 0.875, 1.0),
        "frontend.hop_length": (160, 200, 240, 320, 400),
    },
    "log_mel_cnn": {
        "model.width": (0.5, 0.75, 1.0, 1.25, 1.5),
        "model.dropout": (0.0, 0.2, 0.4),
        "augment.mix_share": (0.0, 0.5, 1.0),
    },
    "mfcc_cnn": {
        "model.width": (0.5, 0.75, 1.0, 1.5, 2.0),
        "model.dropout": (0.0, 0.2, 0.4),
        "augment.mix_share": (0.0, 0.5, 1.0),
    },
}
_CODE = "experiments/search.py"
_SPACE = "space"  # of a study, which keeps it


class Plan(NamedTuple):
    """How to search. trials: in this call; phone: a class of phone/classes.yaml; storage: a URL"""

    trials: int
    folds: int
    phone: str
    storage: str


class Found(NamedTuple):
    """What a trial chose, and what came of it."""

    number: int
    values: dict[str, Choice]
    figures: Figures


def search(params: Params, features: Path, plan: Plan) -> list[Found]:
    """Try recipes. returns: every trial of the study that ended, in order

    raises: DataError if folds cannot be made of the clips, or the storage cannot be opened;
        PhoneError if nothing can be counted here
    """
    make_repeatable(params.seed)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    store, tools = open_store(features), prepare()
    study = _study(recipe_key(store, store.index["split"], _fixed(params), _CODE), params, plan)
    space: dict[str, list[Choice]] = study.user_attrs[_SPACE]
    parent = ""
    with _shown("the search"):
        parent = runs.start_parent(f"search {study.study_name}", params)

    def try_one(trial: "Trial") -> tuple[float, float]:
        values = {name: trial.suggest_categorical(name, of) for name, of in space.items()}
        _refuse_known(study, trial)
        try:
            changed = with_values(params, values)
            figures = judge(store, changed, plan.folds, (plan.phone, tools))
        except ParamsError as error:  # no network has these values together
            raise optuna.TrialPruned(str(error)) from error
        if parent:
            with _shown(f"trial {trial.number}"):
                runs.log_trial(parent, f"trial {trial.number}", changed, figures._asdict())
        _print(Found(trial.number, values, figures))
        return figures

    study.optimize(try_one, n_trials=plan.trials)
    ended = found(study)
    if parent:
        best = max((one.figures.accuracy for one in ended), default=0.0)
        with _shown("the end of the search"):
            runs.end_parent(parent, {"accuracy": best, "trials": len(ended)})
    return ended


def found(study: "Study") -> list[Found]:
    """Every trial of a study that has both figures, in order."""
    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    return [
        Found(trial.number, dict(trial.params), Figures(trial.values[0], round(trial.values[1])))
        for trial in done
    ]


def front(trials: list[Found]) -> list[Found]:
    """Those that no other is at least as good as in both figures, the cheapest first."""
    kept: list[Found] = []
    for one in sorted(trials, key=lambda one: (one.figures.instructions, -one.figures.accuracy)):
        if not kept or one.figures.accuracy > kept[-1].figures.accuracy:
            kept.append(one)
    return kept


def _fixed(params: Params) -> Params:
    """The same parameters wherever in its space a search begins."""
    space = SPACES[params.model.architecture]
    return with_values(params, {name: of[-1] for name, of in space.items()})


def _study(key: str, params: Params, plan: Plan) -> "Study":
    """The study of these clips and this recipe, new or as it was left."""
    try:
        study = optuna.create_study(
            study_name=f"{key}-{plan.folds}-{plan.phone}",
            storage=plan.storage,
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
    except Exception as error:  # whatever the driver of a database raises
        where = redacted(plan.storage)
        raise DataError(f"--storage {where}: cannot be opened: {first_line(error)}") from error
    if _SPACE not in study.user_attrs:
        space = SPACES[params.model.architecture]
        values = {name: value_of(params, name) for name in space}
        present = {name: of for name, of in values.items() if isinstance(of, Choice)}
        # a study cannot widen its space later
        wider = {name: sorted({*of, present[name]}) for name, of in space.items()}
        study.set_user_attr(_SPACE, wider)
        study.enqueue_trial(present)
    # the same stream again would draw the same again where a search goes on
    study.sampler = optuna.samplers.TPESampler(seed=params.seed + len(study.trials))
    return study


def _refuse_known(study: "Study", trial: "Trial") -> None:
    """raises: TrialPruned where an earlier trial had the same values"""
    for one in study.get_trials(deepcopy=False):
        if one.number < trial.number and one.params == trial.params and one.state.is_finished():
            raise optuna.TrialPruned(f"as trial {one.number}")


def _print(one: Found) -> None:
    values = "  ".join(f"{name} {value:g}" for name, value in one.values.items())
    share, millions = 100 * one.figures.accuracy, one.figures.instructions / 1e6
    line = f"trial {one.number}: {share:.1f} %, {millions:.2f} M instructions a second  {values}"
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _shown(what: str) -> Iterator[None]:
    """A note, not an error, where MLflow does not take it."""
    try:
        yield
    except PocketearError as error:
        note(f"{error}; {what} is not shown in MLflow")
