"""Workarounds for compilers."""
