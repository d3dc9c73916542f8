"""HTML in which text stays text: what an element holds is escaped, unless it was made here itself."""

from html import escape

_WITHOUT_CONTENT = {"img"}


class Html(str):
    """A piece of HTML that ``element`` made; any other string is text."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: object) -> Html:
    """One element. In an attribute's name ``_`` stands for a dash, except at its end: ``class_``, ``aria_label``.

    An attribute that is None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _WITHOUT_CONTENT:
        return Html(f"<{name}{written}>")
    held = "".join(part if isinstance(part, Html) else escape(part) for part in content)
    return Html(f"<{name}{written}>{held}</{name}>")
