"""The SDK's only input and output: one attempt, its outcome, and when to try again."""
