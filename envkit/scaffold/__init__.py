"""The first profiles of a project, drafted from the `.env` files that it has (`envkit init`)."""
