"""Pictures of genotypes and networks as plain data, and as files."""
