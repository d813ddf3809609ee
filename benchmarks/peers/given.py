"""What a peer's process was told, by `plain_api.environment`; the peers' only reader of it."""

import os

STORE = os.environ.get("PEER_STORE", "")
PORT = int(os.environ.get("PEER_PORT", "0"))
OPERATION = os.environ.get("PEER_OPERATION", "decode")
PROCESSES = int(os.environ.get("PEER_PROCESSES", "1"))
BATCH = int(os.environ.get("PEER_BATCH", "64"))
PNG_LEVEL = int(os.environ.get("PEER_PNG_LEVEL", "6"))
