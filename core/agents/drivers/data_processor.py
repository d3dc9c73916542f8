"""The driver ``data-processor``: a program of Taskdeck's own that reports on data files."""

from typing import ClassVar, Literal

from core.agents.drivers.builtin import BuiltInSettings
from core.agents.settings import Words


class DataProcessorSettings(BuiltInSettings):
    """It works with and without a repository."""

    program: ClassVar[str] = "data_processor"
    words: ClassVar[Words] = Words(
        "Data processor",
        "Reads every CSV, TSV, Parquet and JSON file of a repository and writes a report with charts. "
        "Without a repository it works on sample data.",
        (
            "Profile the data: what is in it, what is missing, what stands out?",
            "Compare the regions and find the outliers.",
            "Check the quality of the data before we publish it.",
        ),
    )

    driver: Literal["data-processor"]
