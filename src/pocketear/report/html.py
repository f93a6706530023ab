"""html: a template of templates/ -> one HTML file that needs nothing else."""

from collections.abc import Mapping

import jinja2

from pocketear.evaluation.wording import number, plural, runner_name, size


def html(template: str, content: Mapping[str, object]) -> str:
    """The page. template: a file of templates/; content: what it names. All text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pocketear.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (runner_name, size, number, plural):
        environment.filters[function.__name__] = function
    return environment.get_template(template).render(content)
