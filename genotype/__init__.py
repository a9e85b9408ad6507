"""What an architecture is: operations, genotypes, the search space, identity and counts."""

from genotype.counting import Counts
from genotype.dedupe import Deduped, dedupe
from genotype.errors import GenotypeError
from genotype.formats import parse, read, read_many
from genotype.genotype import Cell, Genotype
from genotype.identity import LEVELS, Level
from genotype.notation import Document, to_json
from genotype.space import SearchSpace, Token
from genotype.vocabulary import CVPR2019, Operation, Step, Vocabulary

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
