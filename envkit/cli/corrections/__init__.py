"""Suggest a corrected command line when envkit refuses one: rules and vocabulary."""
