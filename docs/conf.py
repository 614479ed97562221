"""The site: what Sphinx needs to know, and the pages of commands, which are made from Click."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import scinfill
from scinfill.commands import COMMANDS
from scinfill.commands._help import Verb

os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # pictures in the page, whatever the shell asks

HERE = Path(__file__).parent
COMMANDS_HEAD = """# Commands

In the order of work. `scinfill VERB --help` says the same as these pages, which are made from it. `-` is standard
input or output, so verbs join into pipes. {doc}`../exit-codes` are the same for all.

| verb | does |
| --- | --- |"""

project = "scinfill"
author = "The scinfill authors"
project_copyright = author
version = release = scinfill.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
smartquotes = False  # `--option` in a sentence has two hyphens
default_role = "code"  # the help texts of commands write names in single back-ticks
nitpicky = True
nitpick_ignore_regex = [  # other projects' pages cannot be looked up without a network
    ("py:.*", r"(anndata|np|numpy|pd|pandas|pathlib|collections|typing|scipy|csr_array)\b.*"),
    ("py:.*", r"scinfill\.(numerics|reporting|models|methods|io)\..*"),
]

html_theme = "furo"
html_title = f"scinfill {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
templates_path = ["_templates"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # figures of benchmarks and changelog begin where they like

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / ".jupyter_cache")
nb_execution_timeout = -1
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_param = False  # parameters that are described together stay together
napoleon_custom_sections = ["Returns"]  # prose, not a list of types
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True

copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True


def command_pages() -> dict[str, str]:
    """Return a page for each verb, and one that lists them: everything on them comes from Click."""
    rows, pages = [], {}
    for verb in COMMANDS:
        module = f"scinfill.commands.{verb.replace('-', '_')}"
        does = import_module(module).command.get_short_help_str(limit=200)
        rows.append(f"| [`{verb}`]({verb}.rst) | {does} |")
        pages[f"{verb}.rst"] = f".. click:: {module}:command\n   :prog: scinfill {verb}\n"
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *(f"{verb} <{verb}>" for verb in COMMANDS), "```"])
    return pages | {"index.md": "\n".join([COMMANDS_HEAD, *rows, "", toctree, ""])}


def write_pages(folder: Path) -> None:
    """Write them; one that is as it should be keeps its time, so that Sphinx does not read it again."""
    folder.mkdir(exist_ok=True)
    for name, text in command_pages().items():
        page = folder / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def group_options(_app: Sphinx, ctx: click.Context, lines: list[str]) -> None:
    """Put the options of a verb under the headings of its ``--help``."""
    if not isinstance(ctx.command, Verb):
        return
    blocks = {block[0].partition("::")[2].strip().split(",")[0].split()[0]: block for block in _blocks(lines)}
    lines[:] = [
        line
        for heading, options in ctx.command.group_options(ctx).items()
        if any(option.opts[0] in blocks for option in options)
        for line in (
            f".. rubric:: {heading}",
            "   :class: option-group",
            "",
            *(line for option in options for line in blocks.get(option.opts[0], [])),
        )
    ]


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    starts = [number for number, line in enumerate(lines) if line.startswith(".. option::")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield [*lines[start:end], ""]


def show_examples(_app: Sphinx, _ctx: click.Context, lines: list[str]) -> None:
    """Show what Click's help leaves as it is in a box: examples, as lines to copy, and tables."""
    shown: list[str] = []
    for line in lines:
        if line.startswith("|   "):
            text = line.removeprefix("|   ")
            if not (shown and shown[-1].startswith("    ")):
                shown += ["", f".. code-block:: {'shell' if text.startswith('scinfill') else 'text'}", ""]
            shown.append(f"    {text}")
        else:
            shown.append(line)
    lines[:] = shown


def dash_descriptions(_app: Sphinx, _what: str, _name: str, _of: object, _options: object, lines: list[str]) -> None:
    """Put a dash between a parameter and its description, where napoleon writes two hyphens."""
    lines[:] = [line.replace("** -- ", "** – ", 1) for line in lines]


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.add_lexer("csv", TextLexer)
    write_pages(HERE / "reference" / "commands")
    app.connect("autodoc-process-docstring", dash_descriptions, priority=900)
    app.connect("sphinx-click-process-options", group_options)
    app.connect("sphinx-click-process-description", show_examples)
