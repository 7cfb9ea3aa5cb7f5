"""Where the record and the pending values of a rotation are: beside the secret, in its store."""
