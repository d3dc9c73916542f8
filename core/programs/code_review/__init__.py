"""The agent that reviews the Python code of a repository with ruff and reports what it found."""
