"""Architectures as data: operations, genotypes, the search space, identity and counts."""

from auxnas.genotype.counting import Counts
from auxnas.genotype.dedupe import Deduped, dedupe
from auxnas.genotype.errors import GenotypeError
from auxnas.genotype.formats import parse, read, read_many
from auxnas.genotype.genotype import Cell, Genotype
from auxnas.genotype.identity import LEVELS, Level
from auxnas.genotype.notation import Document, to_json
from auxnas.genotype.space import SearchSpace, Token
from auxnas.genotype.vocabulary import CVPR2019, Operation, Step, Vocabulary

__all__ = [
    "CVPR2019",
    "LEVELS",
    "Cell",
    "Counts",
    "Deduped",
    "Document",
    "Genotype",
    "GenotypeError",
    "Level",
    "Operation",
    "SearchSpace",
    "Step",
    "Token",
    "Vocabulary",
    "dedupe",
    "parse",
    "read",
    "read_many",
    "to_json",
]
