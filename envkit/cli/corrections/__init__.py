"""Corrections for command lines that envkit refused."""
