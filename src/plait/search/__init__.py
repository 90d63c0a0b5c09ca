"""An index of embedded rows and the query side: `index_table` makes it, `Searcher` asks it."""

from plait import former_names
from plait.search.exact import ExactIndex
from plait.search.index import Index
from plait.search.indexing import index_table
from plait.search.ranking import reciprocal_rank_fusion
from plait.search.searcher import Hit, Query, Searcher
from plait.search.where import parse_where

__all__ = [
    "ExactIndex",
    "Hit",
    "Index",
    "Query",
    "Searcher",
    "index_table",
    "parse_where",
    "reciprocal_rank_fusion",
]


__getattr__ = former_names(__name__, {"Catalogue": "plait.search.index.Index"})
