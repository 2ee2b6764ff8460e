"""Profiles: one customer, pages of customers, those of past refreshes included."""
