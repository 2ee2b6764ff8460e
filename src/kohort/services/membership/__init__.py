"""Membership: the members of segments now and at past evaluations, who entered and who left."""
