"""What the programs behind the built-in agents share: their events, words, and the look of their reports."""
