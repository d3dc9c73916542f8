"""The built-in agent `data-processor`: reads the tables in a folder and writes a report on them."""
