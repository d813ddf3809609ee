"""The store of published models: what a checkpoint is, how it is written, how it is read."""

from model_store.contract import Checkpoint
from model_store.directions import (
    MAX_DIRECTION_NAME,
    MAX_DIRECTIONS,
    Directions,
    legal_direction,
)
from model_store.errors import (
    CheckpointRejected,
    IllegalName,
    ModelNotFound,
    StoreError,
    StoreNotWritable,
    VersionTaken,
)
from model_store.loading import load, sound_file
from model_store.location import ModelId, find, legal_name, published
from model_store.manifest import (
    MAX_ROW,
    NEIGHBOUR_LATENTS,
    NEIGHBOUR_ROWS,
    NUM_LEVELS,
    Capability,
    DataSpec,
    Draft,
    Figure,
    FileRecord,
    Manifest,
    TrainingFacts,
    read_manifest,
)
from model_store.probe import Probe, TensorRecord
from model_store.publishing import publish, publish_again, remove
from model_store.scores import Scores
from model_store.settings import store_path

__all__ = [
    "MAX_DIRECTIONS",
    "MAX_DIRECTION_NAME",
    "MAX_ROW",
    "NEIGHBOUR_LATENTS",
    "NEIGHBOUR_ROWS",
    "NUM_LEVELS",
    "Capability",
    "Checkpoint",
    "CheckpointRejected",
    "DataSpec",
    "Directions",
    "Draft",
    "Figure",
    "FileRecord",
    "IllegalName",
    "Manifest",
    "ModelId",
    "ModelNotFound",
    "Probe",
    "Scores",
    "StoreError",
    "StoreNotWritable",
    "TensorRecord",
    "TrainingFacts",
    "VersionTaken",
    "find",
    "legal_direction",
    "legal_name",
    "load",
    "publish",
    "publish_again",
    "published",
    "read_manifest",
    "remove",
    "sound_file",
    "store_path",
]
