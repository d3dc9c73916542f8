"""The files that a task made: which there are, what is in one of them, and the way to take them along."""

import posixpath
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import streamlit as st

from core.database.models import Artifact
from core.database.ownership import Actor
from core.errors import NotFound
from core.tasks import artifacts
from core.words import count
from pages.parts import previews
from pages.parts.markup import element
from pages.parts.text import plain, size

#: What somebody looks for first, best first.
FIRST = ("report.html", "report.md", "changes.patch")

FEW = 5  # files that are offered side by side
FEW_CHARACTERS = 70  # of their names together
PAGE_HEIGHT = 900  # pixels
TEXT_HEIGHT = 500

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
TABLES = ("text/csv", "text/tab-separated-values")


def show(actor: Actor, made: Sequence[Artifact]) -> None:
    """These files of one task, at least one."""
    st.subheader("Files", anchor=False)
    file = choose(made)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(f"Download ({size(file.size)})", f"{address(file)}?download=true", icon=":material/download:")
        if len(made) > 1:
            total = size(sum(each.size for each in made))
            st.link_button(
                f"Download all {len(made)} as zip ({total})",
                f"/api/tasks/{file.task_id}/artifacts.zip",
                icon=":material/folder_zip:",
                type="tertiary",
            )
    try:
        preview(*artifacts.find(actor, file.task_id, file.name), made)
    except (NotFound, OSError):
        st.warning("This file is not in the data folder any more.", icon=":material/unknown_document:")


def choose(made: Sequence[Artifact]) -> Artifact:
    """The file to show: side by side when there are few, else from a list that can be searched."""
    files = {file.name: file for file in made}
    first = next((name for name in FIRST if name in files), made[0].name)
    if len(files) == 1:
        st.markdown(f"**{plain(first)}**")
        return files[first]
    key = f"file-{made[0].task_id}"
    if len(files) <= FEW and sum(map(len, files)) <= FEW_CHARACTERS:
        name = st.segmented_control(
            "File",
            list(files),
            default=first,
            required=True,
            format_func=plain,
            key=key,
            label_visibility="collapsed",
        )
    else:
        name = st.selectbox(
            f"{len(files)} files",
            list(files),
            index=list(files).index(first),
            format_func=lambda name: f"{name} · {size(files[name].size)}",
            key=key,
        )
    return files[name or first]


def address(file: Artifact) -> str:
    """Where the API serves a file: as a document without scripts, requests or an origin."""
    return f"/api/tasks/{file.task_id}/artifacts/{quote(file.name)}"


def preview(file: Artifact, path: Path, made: Sequence[Artifact]) -> None:
    """What is in the file, or its beginning."""
    if file.media_type == "text/html":
        st.iframe(address(file), height=PAGE_HEIGHT)
    elif file.media_type in PICTURES:
        st.html(element("img", class_="td-picture", src=address(file), alt=file.name))
    elif file.media_type in TABLES and (table := previews.table(path)):
        show_table(table)
    elif (found := previews.text(path)) is None:
        st.caption("There is no preview for this kind of file: download it.")
    elif file.media_type == "text/x-diff":
        show_patch(previews.patch(path), found)
    elif file.media_type == "text/markdown" and found.whole:
        with st.container(border=True, key="report"):
            pictures = {
                posixpath.relpath(each.name, posixpath.dirname(file.name) or "."): address(each)
                for each in made
                if each.media_type in PICTURES
            }
            st.markdown(previews.markdown(found.text, pictures))
    elif not found.text.strip():
        st.caption("The file is empty.")
    else:
        is_json = "json" in file.media_type
        text = previews.laid_out(found.text) if is_json and found.whole else found.text
        st.code(text, language="json" if is_json else None, height=TEXT_HEIGHT, wrap_lines=not is_json)
        say_what_is_left_out(found.whole)


def show_table(table: previews.Table) -> None:
    columns = {name: [row[place] for row in table.rows] for place, name in enumerate(table.columns)}
    st.dataframe(columns, hide_index=True, height=TEXT_HEIGHT if len(table.rows) > 12 else "content")
    if not table.whole:
        st.caption(f"The first {len(table.rows):,} rows: download the file for all of it.")


def show_patch(patch: previews.Patch, found: previews.Text) -> None:
    files = f"{count(patch.files, 'file')} changed"
    lines = f":green[**+{patch.added:,}**] :red[**\N{MINUS SIGN}{patch.removed:,}**] lines"
    st.markdown(f"{files if patch.whole else f'At least {files}'}, {lines}")
    st.code(found.text, language="diff", height=TEXT_HEIGHT)
    say_what_is_left_out(found.whole)


def say_what_is_left_out(whole: bool) -> None:
    if not whole:
        st.caption("This is the beginning: download the file for all of it.")
