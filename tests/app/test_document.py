"""The document of the endpoints that take the short way says what they take."""

import httpx

from app.routes.wire_types import (
    EncodeQuery,
    Form,
    InterpolateQuery,
    MapQuery,
    ReconstructQuery,
    SampleQuery,
)
from tests.app.odd_requests import HOT


def test_the_document_lists_parameters_and_bodies(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    declared = {
        ("/sample", "get"): {*SampleQuery.model_fields},
        ("/sample", "post"): {*Form.model_fields},
        ("/interpolate", "get"): {*InterpolateQuery.model_fields},
        ("/interpolate", "post"): {*Form.model_fields},
        ("/reconstruct", "post"): {*ReconstructQuery.model_fields},
        ("/traverse", "post"): {*Form.model_fields},
        ("/arithmetic", "post"): {*Form.model_fields},
        ("/map", "get"): {*MapQuery.model_fields},
        ("/map", "post"): {*Form.model_fields},
        ("/decode", "post"): {*Form.model_fields},
        ("/encode", "post"): {*EncodeQuery.model_fields},
    }
    for (path, method), names in declared.items():
        for prefix, named in (("", set()), ("/models/{model}", {("path", "model")})):
            operation = paths[prefix + path][method]
            parameters = {(part["in"], part["name"]) for part in operation["parameters"]}
            assert parameters == {("query", name) for name in names} | named
            assert ("requestBody" in operation) == (method == "post")
            if method == "post":
                assert "application/json" in operation["requestBody"]["content"]
            assert operation["summary"]
            assert "200" in operation["responses"]
    for path in HOT:
        assert set(paths[path]) == {method for where, method in declared if where == path}
