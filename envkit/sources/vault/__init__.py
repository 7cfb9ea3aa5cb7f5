"""HashiCorp Vault and OpenBao as a source, through hvac.

`source` implements the protocols with the other modules.
"""
