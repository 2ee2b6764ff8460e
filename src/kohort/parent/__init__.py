"""The parent segment: one master table, attributes 1:1, behaviors N:1, and the catalog of fields they give."""
