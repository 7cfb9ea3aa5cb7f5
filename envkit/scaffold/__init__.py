"""`envkit init`: the first profiles of a project, drafted from its `.env` files."""
