"""The store of published models: what a checkpoint is, how it is written, how it is read."""

from model_store.contract import Checkpoint
from model_store.errors import (
    CheckpointRejected,
    IllegalName,
    ModelNotFound,
    StoreError,
    StoreNotWritable,
    VersionTaken,
)
from model_store.loading import load
from model_store.location import ModelId, find, legal_name, published
from model_store.manifest import (
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
from model_store.publishing import publish, remove
from model_store.settings import store_path

__all__ = [
    "Capability",
    "Checkpoint",
    "CheckpointRejected",
    "DataSpec",
    "Draft",
    "Figure",
    "FileRecord",
    "IllegalName",
    "Manifest",
    "ModelId",
    "ModelNotFound",
    "Probe",
    "StoreError",
    "StoreNotWritable",
    "TensorRecord",
    "TrainingFacts",
    "VersionTaken",
    "find",
    "legal_name",
    "load",
    "publish",
    "published",
    "read_manifest",
    "remove",
    "store_path",
]
