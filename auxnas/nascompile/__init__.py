"""``nascompile``: compiles genotypes."""
