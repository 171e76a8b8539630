"""Docstrings as this project writes them (Google sections, double backticks) as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Spec|Vectors):(?: (.*))?$")
_ENTRY = re.compile(r"^ {4}(\*{0,2}\w[\w., ]*): (.*)$")


@dataclass
class Doc:
    """A docstring in parts.

    Attributes:
        text: paragraphs before the first section.
        sections: name -> entries, ``(name, text)``; ("", text) where a section is plain text.
    """

    text: str = ""
    sections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def parse(docstring: str) -> Doc:
    """Take a docstring apart."""
    doc, section = Doc(), ""
    lines: list[str] = []
    for line in inspect.cleandoc(docstring).splitlines():
        found = _SECTION.match(line)
        if found:
            section = found[1]
            doc.sections[section] = [("", found[2])] if found[2] else []
        elif section:
            _add(doc.sections[section], line)
        else:
            lines.append(line)
    doc.text = markdown("\n".join(lines).strip())
    return doc


def _add(entries: list[tuple[str, str]], line: str) -> None:
    found = _ENTRY.match(line)
    if found:
        entries.append((found[1], found[2]))
    elif line.strip() and entries:
        name, text = entries[-1]
        entries[-1] = (name, f"{text} {line.strip()}")
    elif line.strip():
        entries.append(("", line.strip()))


def markdown(text: str) -> str:
    """Turn reStructuredText's double backticks into Markdown's."""
    return text.replace("``", "`")


def render(doc: Doc) -> Iterator[str]:
    """Yield the Markdown of a docstring, without its attributes, one block after the other."""
    if doc.text:
        yield doc.text
    for section in ("Args", "Returns", "Raises"):
        entries = doc.sections.get(section, [])
        if entries:
            title = {"Args": "Parameters"}.get(section, section)
            yield f"**{title}**\n\n" + "\n".join(_item(name, text) for name, text in entries)


def _item(name: str, text: str) -> str:
    names = ", ".join(f"`{one.strip()}`" for one in name.split(",")) if name else ""
    return f"- {names}: {markdown(text)}" if name else f"- {markdown(text)}"
