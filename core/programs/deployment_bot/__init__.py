"""The agent that deploys a repository by its own recipe, or by the administrator's."""
