"""What the commands `envkit env` do with the encrypted `.env` file of an environment.

They work with and without profiles, and need neither an account nor a server. The format of the
files is in `envkit.encryption`, and what git has to do with them in `envkit.git`.
"""
