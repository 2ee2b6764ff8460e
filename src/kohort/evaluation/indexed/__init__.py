"""Conditions answered from the profile index by compiled kernels."""
