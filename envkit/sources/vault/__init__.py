"""HashiCorp Vault and OpenBao as a source: address, login, key-value engine, reads, writes.

What belongs here speaks to a Vault server through hvac. `source` implements the protocols;
the other modules are its parts.
"""
