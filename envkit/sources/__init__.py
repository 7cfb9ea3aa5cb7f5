"""The adapters between envkit and the stores that hold values."""
