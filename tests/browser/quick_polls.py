"""Streamlit's command line with pages that poll every second, so that nobody waits five for what they draw next."""

from streamlit.web.cli import main

from pages.parts import times

POLL_SECONDS = 1.0

if __name__ == "__main__":
    times.POLL_SECONDS = POLL_SECONDS
    main(prog_name="streamlit")
