"""The profile index: one refresh as memory-mapped columns in ordinal order, and the compiled kernels over them."""
