"""The product: tasks, their owners, their agents. It knows neither Streamlit nor FastAPI."""

__version__ = "0.1.0"
