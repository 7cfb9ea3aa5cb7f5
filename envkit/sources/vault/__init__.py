"""HashiCorp Vault and OpenBao as a source, through hvac.

`source` implements the protocols; the other modules are its parts.
"""
