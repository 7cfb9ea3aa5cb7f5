"""Promotion: what one environment has and the next one lacks, carried over.

What belongs here reads both environments and does the steps (`run`), and decides what they
are (`decide`, `lines`, `values`: pure). A plan (`model`) can be shown: it holds no secret.
"""
