"""moved: a project's folder was renamed or copied, and MLflow's database still names the old place.

MLflow keeps the place of each artefact as an absolute address. Without a server they lie beside the
database, so they go where it goes.
"""

from pathlib import Path

ARTIFACTS = "mlartifacts"  # beside the database
# Columns of MLflow's tables that hold the address of an artefact or of a folder of them.
_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
    "logged_models": ("artifact_location",),
}


def follow(uri: str, artifacts: Path, experiment: str) -> None:
    """Have the database name `artifacts` where it names the folder that they were in before.

    Nothing changes where the artefacts were left behind: the old folder is there, and no new one.
    raises: SQLAlchemyError if the database cannot be read or written
    """
    import sqlalchemy
    from sqlalchemy import Column, MetaData, String, Table, func, select, update

    engine = sqlalchemy.create_engine(uri)
    tables = {
        name: Table(name, MetaData(), *(Column(one, String) for one in ("name", *columns)))
        for name, columns in _PLACES.items()
    }
    known = sqlalchemy.inspect(engine)
    experiments = tables["experiments"]
    if not known.has_table("experiments"):
        return
    with engine.begin() as connection:
        wanted = experiments.c.name == experiment
        before = connection.scalar(select(experiments.c.artifact_location).where(wanted))
        now = artifacts.as_uri()
        was_here = before and before != now and before.endswith(f"/{ARTIFACTS}")
        if not was_here or (not artifacts.is_dir() and _folder(before).is_dir()):
            return
        for name, columns in _PLACES.items():
            there = (
                {one["name"] for one in known.get_columns(name)} if known.has_table(name) else ()
            )
            for column in (tables[name].c[one] for one in columns if one in there):
                rest = func.substr(column, len(before) + 1)
                is_below = func.substr(column, 1, len(before) + 1).in_([before, f"{before}/"])
                connection.execute(
                    update(tables[name]).where(is_below).values({column: now + rest})
                )
    engine.dispose()


def _folder(uri: str) -> Path:
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(uri).path))
