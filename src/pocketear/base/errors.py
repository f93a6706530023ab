"""errors: everything pocketear refuses, as one tree.

PocketearError
    ParamsError        params.yaml is wrong              (field, rule, value)
    ClipError          one clip cannot be used           (path, rule, value)
    DataError          the set of clips is wrong         (what, which clips)
    ExportError        a converter or an op list         (format, op)
    RunnerError        a model file cannot be run        (path, why)
    ParityError        two runners cannot be compared    (runner, shape)
    ClusterError       Dask's workers cannot be used     (address, why)
    PhoneError         a phone measurement failed        (provider, why)
    TrackingError      MLflow or its registry            (address, why)
    PackagingError     a package cannot be built            (what is missing)

A message is one line: what is wrong, where, what was found, how to fix it.
"""

import reprlib
from decimal import Decimal

_VALUE = 200  # characters of a value that a message repeats
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxtuple = 2, 8, 16, 16
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _VALUE


class PocketearError(Exception):
    """Base of every error that is the user's to fix, shown without a traceback."""


class ParamsError(PocketearError):
    """params.yaml is wrong."""


class ClipError(PocketearError):
    """One clip cannot be used; the set may go on without it."""


class DataError(PocketearError):
    """The set of clips as a whole is wrong."""


class ExportError(PocketearError):
    """A model could not be converted, or its ops may not ship."""


class RunnerError(PocketearError):
    """A model file cannot be run."""


class ParityError(PocketearError):
    """Two runners cannot be compared."""


class ClusterError(PocketearError):
    """A cluster's workers cannot be reached or trusted."""


class PhoneError(PocketearError):
    """A phone measurement could not be made."""


class TrackingError(PocketearError):
    """MLflow, its store or its registry refused."""


class DemonstrationError(TrackingError):
    """A model of rendered sounds that was to be promoted."""


class PackagingError(PocketearError):
    """A package could not be built, or its verdict was refused."""


def first_line(error: Exception | str) -> str:
    """What a library says, without the lines that only its makers understand; never long."""
    lines = str(error).strip().splitlines()
    return lines[0][:_VALUE] if lines else type(error).__name__


def shown(value: object) -> str:
    """A value as a message repeats it: like `repr`, but never long, however large the value is."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # an int of more digits than Python will write
        return f"a very large {type(value).__name__}"
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def shown_number(value: float, *bounds: float) -> str:
    """A number in three digits, or in as many as show on which side of the bounds it is."""
    for digits in range(3, 17):
        text = f"{value:.{digits}g}"
        sides = [(float(text) > bound, float(text) < bound) for bound in bounds]
        if sides == [(value > bound, value < bound) for bound in bounds]:
            break
    return f"{Decimal(text):f}"
