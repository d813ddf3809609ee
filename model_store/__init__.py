"""The store of published models: what a checkpoint is, how it is written, how it is read."""

from model_store.contract import Checkpoint
from model_store.data_spec import MAX_ROW, NUM_LEVELS, DataSpec
from model_store.directions import (
    MAX_DIRECTION_NAME,
    MAX_DIRECTIONS,
    Directions,
    legal_direction,
)
from model_store.errors import (
    BadSetting,
    CannotVerify,
    CheckpointRejected,
    IllegalName,
    ModelNotFound,
    StoreError,
    StoreNotWritable,
    VersionTaken,
)
from model_store.loading import load, read_verified
from model_store.location import Listing, ModelId, find, legal_name, list_store, published
from model_store.manifest import (
    NEIGHBOUR_LATENTS,
    NEIGHBOUR_ROWS,
    Capability,
    Draft,
    Figure,
    FileRecord,
    Manifest,
    Summary,
    TrainingFacts,
    read_manifest,
)
from model_store.probe import Probe, TensorRecord
from model_store.publishing import publish, publish_again, remove
from model_store.scores import Scores
from model_store.settings import store_path
from model_store.summaries import Summaries
from model_store.verification import expect_to_verify, stop_verifying

__all__ = [
    "MAX_DIRECTIONS",
    "MAX_DIRECTION_NAME",
    "MAX_ROW",
    "NEIGHBOUR_LATENTS",
    "NEIGHBOUR_ROWS",
    "NUM_LEVELS",
    "BadSetting",
    "CannotVerify",
    "Capability",
    "Checkpoint",
    "CheckpointRejected",
    "DataSpec",
    "Directions",
    "Draft",
    "Figure",
    "FileRecord",
    "IllegalName",
    "Listing",
    "Manifest",
    "ModelId",
    "ModelNotFound",
    "Probe",
    "Scores",
    "StoreError",
    "StoreNotWritable",
    "Summaries",
    "Summary",
    "TensorRecord",
    "TrainingFacts",
    "VersionTaken",
    "expect_to_verify",
    "find",
    "legal_direction",
    "legal_name",
    "list_store",
    "load",
    "publish",
    "publish_again",
    "published",
    "read_manifest",
    "read_verified",
    "remove",
    "stop_verifying",
    "store_path",
]
