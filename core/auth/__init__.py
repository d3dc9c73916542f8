"""Who is asking: people and passwords, browser sessions, API tokens, the first start.

Nothing outside this package reads a password hash, a cookie's content or a token's digest.
"""
