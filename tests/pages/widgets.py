"""What a person does on a page and sees of it, in AppTest's terms."""

from streamlit.runtime.state.common import TESTING_KEY
from streamlit.testing.v1 import AppTest


def press(app: AppTest, *labels: str) -> AppTest:
    """Press a button; for one in a dialog also the button that opens it, because AppTest runs the whole page anew."""
    *openers, _ = labels
    if not set(labels) <= set(buttons(app)):
        press(app, *openers)
    for label in labels:
        next(button for button in app.button if button.label == label).click()
    return app.run()


def fill(app: AppTest, **values: str) -> AppTest:
    """Type into the fields with these labels, where _ is a space, and leave every other one."""
    for label, value in values.items():
        next(field for field in app.text_input if field.label == label.replace("_", " ")).input(value)
    return app


def sign_in(app: AppTest, username: str, password: str) -> AppTest:
    return press(fill(app, Username=username, Password=password), "Sign in")


def is_signed_out(app: AppTest) -> bool:
    """Whether the page is the sign-in form and nothing else."""
    fields = [field.label for field in app.text_input]
    return not app.exception and fields == ["Username", "Password"] and not app.title and not app.sidebar.button


def titles(app: AppTest) -> list[str]:
    return [element.value for element in (*app.title, *app.header)]


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def links(app: AppTest) -> list[str]:
    """The labels of the links to other pages."""
    return [link.proto.label for link in app.main.get("page_link")]


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def texts(app: AppTest) -> str:
    """All that is written on the page, as it was given to Streamlit."""
    said = [*app.title, *app.header, *app.subheader, *app.markdown, *app.error, *app.info, *app.warning, *app.caption]
    return "\n".join([*(element.value for element in said), *links(app), html(app)])


def html(app: AppTest) -> str:
    """What pages draw themselves, without the style sheet."""
    bodies = (element.proto.body for element in app.get("html"))
    return "".join(body for body in bodies if not body.startswith("<style>"))


def errors(app: AppTest) -> list[str]:
    return [error.value for error in app.error]


def toasts(app: AppTest) -> list[str]:
    """What was done, without what makes it plain text."""
    return [toast.value.replace("\\", "") for toast in app.toast]


def everything_kept(app: AppTest) -> str:
    """All that the tab's state holds, that of widgets without a key too."""
    state = app._session_state._state
    kept = [state._old_state, state._new_session_state, state._new_widget_state.states]
    return repr([{name: value for name, value in part.items() if name != TESTING_KEY} for part in kept])
