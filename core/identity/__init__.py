"""Who is asking: people and passwords, browser sessions, API tokens, one-time links.

people, passwords   accounts, and what is kept of a password
throttle, signin    guesses are counted before they are looked at
sso                 another provider vouches for a verified e-mail address
sessions, tokens    what a browser and a program show afterwards
setup, links        one-time links: the first admin, an invitation, a lost password

Nothing outside this package reads a password hash, a cookie's content or a token's digest.
"""
