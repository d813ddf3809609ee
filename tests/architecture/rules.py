"""The rules of the tree, each a function from a module to its faults; no rule knows a file system.

Who may know whom is a table: the row of the longest prefix decides. What a row allows is a list of
packages; the standard library is always allowed, except what a single owner has.
"""

import ast
import sys
from collections.abc import Callable, Iterator

from tests.architecture.shared_state import state_that_is_shared
from tests.architecture.sources import Module, imports, uses, within

MAY_IMPORT = {
    "image_files": ["numpy", "image_files"],
    "image_files.png": ["isal", "image_files"],
    "image_files.decoding": ["numpy", "PIL", "pyspng", "image_files"],
    "model_store": ["torch", "pydantic", "pydantic_core", "model_store"],
    "training": [
        "torch",
        "numpy",
        "PIL",
        "pyarrow",
        "pydantic",
        "pydantic_core",
        "matplotlib",
        "sklearn",
        "tqdm",
        "image_files",
        "model_store",
        "training",
    ],
    "training.likelihoods": ["torch", "training.likelihoods", "training.errors"],
    "training.families": ["torch", "training.families", "training.errors", "training.layers"],
    "training.priors": ["torch", "training.priors", "training.errors", "training.layers"],
    "training.vae": [
        "torch",
        "training.likelihoods",
        "training.priors",
        "training.standardization",
    ],
    "training.standardization": ["torch"],
    "training.objectives": ["torch", "training.objectives", "training.priors", "training.vae"],
    "app": [
        "fastapi",
        "starlette",
        "torch",
        "numpy",
        "orjson",
        "pydantic",
        "pydantic_core",
        "pydantic_settings",
        "model_store",
        "app",
    ],
    "app.__main__": ["httpx", "app", "model_store"],
    "app.server": ["uvicorn", "fastapi", "app"],
    # The server's side of the wire knows no application, but for what both say and keep.
    "app.http_protocol": [
        "uvicorn",
        "httptools",
        "app.http_connection",
        "app.http_cycle",
        "app.http_heads",
        "app.http_limits",
        "app.http_refusals",
        "app.http_watch",
        "app.in_flight",
        "app.server_contract",
    ],
    "app.http_connection": [
        "uvicorn",
        "app.http_cycle",
        "app.http_limits",
        "app.http_refusals",
        "app.http_watch",
        "app.in_flight",
        "app.server_contract",
    ],
    "app.http_cycle": ["uvicorn", "app.http_limits", "app.server_contract"],
    "app.http_heads": ["app.http_refusals"],
    "app.http_limits": [],
    "app.server_contract": [],
    "app.http_refusals": ["orjson", "app.answer_headers"],
    "app.http_watch": ["app.http_limits", "app.in_flight"],
    "app.in_flight": ["app.errors"],
    "app.content_coding": ["app.errors"],
    "app.form_files": ["python_multipart", "app.errors"],
    "app.media_types": ["app.errors"],
    # The supervisor's memory is a plain Python's: no torch, no application.
    "app.supervisor": [
        "app.errors",
        "app.listening",
        "app.metrics",
        "app.running_clock",
        "app.settings",
        "app.worker_process",
    ],
    "app.worker_process": ["app.settings"],
    "app.first_process": [],
    "app.running_clock": [],
    "app.listening": [],
    "app.logs": ["orjson", "app.settings"],
    "app.main": ["fastapi", "fastapi_offline", "starlette", "model_store", "app"],
    "app.arrays": ["numpy"],
    "app.memory": [],
    "app.answer_cache": ["app.engine.entry", "app.metrics"],
    "app.engine": [
        "torch",
        "numpy",
        "model_store",
        "app.arrays",
        "app.engine",
        "app.metrics",
        "app.errors",
        "app.running_clock",
    ],
    "app.metrics": ["prometheus_client"],
    "app.errors": [],
    "app.latent_math": ["numpy", "app.arrays"],
    "app.limits": ["app.errors"],
    "app.points": ["app.arrays"],
    "app.worker_threads": ["app.engine"],
    "app.render_queue": ["app.engine", "app.errors", "app.metrics", "app.worker_threads"],
    "app.paths": ["numpy", "app.arrays"],
    "app.layout": ["numpy", "app.arrays", "app.errors"],
    "app.formats": [
        "numpy",
        "orjson",
        "isal",
        "app.arrays",
        "app.formats",
        "app.layout",
        "app.errors",
    ],
    "app.formats.pillow": ["numpy", "PIL", "app.arrays"],
    "app.images": ["numpy", "image_files", "app.arrays", "app.errors"],
    "app.neighbour_index": ["numpy", "faiss", "model_store", "app.arrays", "app.errors"],
    "app.service": [
        "numpy",
        "app.arrays",
        "app.engine",
        "app.errors",
        "app.latent_math",
        "app.limits",
        "app.neighbour_index",
        "app.once",
        "app.points",
        "app.worker_threads",
    ],
    "app.once": ["app.engine"],
    "app.entropy_coder": ["constriction", "numpy", "app.arrays", "app.errors"],
    "app.latent_codes": ["numpy", "app.arrays", "app.entropy_coder"],
    "app.compressed_file": ["numpy", "pydantic", "app.entropy_coder", "app.errors"],
    "app.operations": [
        "numpy",
        "app.arrays",
        "app.compressed_file",
        "app.entropy_coder",
        "app.errors",
        "app.latent_codes",
        "app.latent_math",
        "app.neighbour_index",
        "app.operations",
        "app.paths",
        "app.server_contract",
        "app.service",
        "app.worker_threads",
    ],
    "app.routes": [
        "fastapi",
        "starlette",
        "pydantic",
        "pydantic_core",
        "numpy",
        "orjson",
        "prometheus_client",
        "model_store",
        "app.__version__",
        "app.answer_cache",
        "app.arrays",
        "app.body_limit",
        "app.compressed_file",
        "app.errors",
        "app.form_files",
        "app.formats",
        "app.images",
        "app.latent_math",
        "app.layout",
        "app.media_types",
        "app.memory",
        "app.metrics",
        "app.operations",
        "app.paths",
        "app.render_queue",
        "app.routes",
        "app.server_contract",
        "app.service",
        "app.settings",
        "app.worker_threads",
    ],
}

# What the endpoints share; an endpoint imports these and no other endpoint.
SHARED_BY_ROUTES = {
    "bodies",
    "constraints",
    "exchange",
    "image_bodies",
    "lean_route",
    "look",
    "numbers",
    "reply",
    "rows",
    "wire_types",
}

SINGLE_OWNERS = {
    "torch.jit": {"training.export", "model_store.loading"},
    # prometheus_client is told of a shared folder through the environment alone.
    "torch.distributed": {"training.processes"},
    "os.environ": {"app.settings", "app.metrics", "model_store.settings"},
    "os.getenv": set[str](),
    "PIL": {
        "app.formats.pillow",
        "image_files.decoding",
        "training.pictures",
        "training.datasets.image_file",
    },
    "pyarrow": {"training.datasets.table"},
    "pyspng": {"image_files.decoding"},
    "faiss": {"app.neighbour_index"},
    "constriction": {"app.entropy_coder"},
    "threading": {
        "app.engine.batcher",
        "app.engine.line",
        "app.running_clock",
        "app.server",
        "app.worker",
        "model_store.verification",
    },
    "asyncio.to_thread": {"app.engine.batcher"},
    "concurrent.futures": {
        "app.engine.batcher",
        "app.engine.entry",
        "app.render_queue",
        "app.worker_threads",
    },
    "uvicorn": {"app.server", "app.http_connection", "app.http_cycle", "app.http_protocol"},
    "httptools": {"app.http_protocol"},
    "python_multipart": {"app.form_files"},
    "starlette.exceptions.HTTPException": {"app.error_responses"},
    "fastapi.HTTPException": set[str](),
}

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
VAGUE_NAMES = {"utils", "util", "helpers", "common", "misc", "base"}


def forbidden_imports(module: Module) -> Iterator[str]:
    """Imports that the table does not allow."""
    prefix = max((p for p in MAY_IMPORT if within(module.name, p)), key=len, default="")
    allowed = MAY_IMPORT.get(prefix, [])
    for name in imports(module):
        standard = name.partition(".")[0] in sys.stdlib_module_names
        if not standard and not any(within(name, package) for package in allowed):
            yield f"{module.name} may not import {name}"


def private_names_of_the_store(module: Module) -> Iterator[str]:
    """Other rooms know `model_store`'s public names alone."""
    for name in imports(module):
        inner = within(name, "model_store") and name.count(".") > 1
        if inner and not within(module.name, "model_store"):
            yield f"{module.name} imports {name}; model_store's public names are in its __init__"


def endpoints_that_know_each_other(module: Module) -> Iterator[str]:
    """A route may import what routes share, never another route."""
    if within(module.name, "app.routes"):
        for name in imports(module):
            parts = name.split(".")
            if parts[:2] == ["app", "routes"] and parts[2] not in SHARED_BY_ROUTES:
                yield f"{module.name} imports {name}, another endpoint"


def owned_by_another(module: Module) -> Iterator[str]:
    """Uses of what has a single owner."""
    for name, owners in SINGLE_OWNERS.items():
        if module.name not in owners and uses(module, name):
            yield f"{module.name} uses {name}, which {', '.join(sorted(owners)) or 'nobody'} owns"


def too_long(module: Module) -> Iterator[str]:
    """Files and functions beyond what one can read at a sitting."""
    lines = len(module.source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{module.name} has {lines} lines; at most {MAX_FILE_LINES}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{module.name}.{node.name} has {length} lines; at most {MAX_FUNCTION_LINES}"


def vaguely_named(module: Module) -> Iterator[str]:
    """A file is named by what it holds."""
    if VAGUE_NAMES & set(module.name.split(".")):
        yield f"{module.name} is named by no idea"


RULES: list[Callable[[Module], Iterator[str]]] = [
    forbidden_imports,
    private_names_of_the_store,
    endpoints_that_know_each_other,
    owned_by_another,
    state_that_is_shared,
    too_long,
    vaguely_named,
]
