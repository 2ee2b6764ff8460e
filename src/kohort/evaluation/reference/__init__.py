"""The reference evaluator: slow, obvious, and the judge of every other one."""

from kohort.evaluation.reference.conditions import members, segment_members, variant_of
from kohort.evaluation.reference.data import Profile, ReferenceData, Row, Scalar, Value

__all__ = ["Profile", "ReferenceData", "Row", "Scalar", "Value", "members", "segment_members", "variant_of"]
