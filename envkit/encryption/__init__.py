"""Values of `.env` files that are encrypted to a public key, in the format of dotenvx.

Values and keys are pure. `key_lookup` finds private keys, `env_file` changes the text of a file,
and `rotate_key` replaces the key pair of a file. `cryptography` is imported only when a value is
encrypted or decrypted.

The source that reads and writes such files is `envkit.sources.dotenv`.
"""
