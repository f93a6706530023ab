"""yaml_text: YAML that people write -> plain values, never more of them than a person writes.

An alias stands for a copy of what it names: nine lines of nine aliases each are a thousand million
values. They are counted before any is made.
"""

import yaml

from pocketear.base.errors import first_line

_MOST_BYTES = 1 << 20
_MOST_VALUES = 100_000


def read_yaml(text: str, where: object) -> object:
    """The one document in `text`, as lists, mappings and plain values; None if it is empty.

    where: what an error names, as a path
    raises: ValueError in one line if it is not YAML, too large or too deep, or a tag asks for more
    """
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{where}: not valid YAML: larger than {_MOST_BYTES >> 20} MiB")
    try:
        return _read(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = first_line(getattr(error, "problem", None) or error)
        raise ValueError(f"{where}{line}: not valid YAML: {problem}") from error
    except RecursionError as error:
        raise ValueError(f"{where}: not valid YAML: nested too deeply") from error
    except ValueError as error:  # of a date or a number that cannot be
        raise ValueError(f"{where}: not valid YAML: {first_line(error)}") from error


def _read(text: str) -> object:
    loader = yaml.SafeLoader(text)  # refuses control characters at once
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count(node, {}) > _MOST_VALUES:
            raise yaml.YAMLError(f"its aliases stand for more than {_MOST_VALUES:,} values")
        made: object = loader.construct_document(node)
        return made
    finally:
        loader.dispose()


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Values below a node, each as often as aliases repeat it. known: node's identity -> count"""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_VALUES + 1  # until it is counted: one that holds itself has no end
    total = 1
    if isinstance(node, yaml.SequenceNode):
        total += sum(_count(one, known) for one in node.value)
    elif isinstance(node, yaml.MappingNode):
        total += sum(_count(key, known) + _count(value, known) for key, value in node.value)
    known[id(node)] = total
    return total
