"""What an architecture is: operations, genotypes, the search space, identity and counts."""

from genotype.errors import GenotypeError
from genotype.formats import Document, parse, read, read_many, to_json
from genotype.genotype import Cell, Genotype
from genotype.space import SearchSpace, Token
from genotype.vocabulary import CVPR2019, Operation, Step, Vocabulary

__all__ = [
    "CVPR2019",
    "Cell",
    "Document",
    "Genotype",
    "GenotypeError",
    "Operation",
    "SearchSpace",
    "Step",
    "Token",
    "Vocabulary",
    "parse",
    "read",
    "read_many",
    "to_json",
]
