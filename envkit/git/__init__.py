"""What envkit sets up in a git repository for encrypted `.env` files, and what it checks there.

Which files git ignores, the pre-commit hook, the check of staged files, and the text that
`git diff` shows. Queries that other packages need too are in `envkit._internal.git`.
"""
