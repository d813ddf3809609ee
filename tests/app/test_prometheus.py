"""`/metrics`, called on a running service."""

import httpx


def test_metrics_count_what_happened(client: httpx.Client) -> None:
    def value(line: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(text.rpartition(" ")[2]) for text in lines if text.startswith(line))

    requests = 'latentd_requests_total{method="GET",route="/models/{model}/sample",status="200"}'
    rows = 'latentd_batch_rows_sum{model="grey@2",operation="decode"}'
    before = value(requests), value(rows)
    client.get("/models/grey@2/sample?n=5")
    assert value(requests) == before[0] + 1
    assert value(rows) == before[1] + 5
    assert value("latentd_ready") == 1
    assert value("latentd_model_info") == 5
    assert value("latentd_queued_rows") == 0


def test_the_answer_is_prometheus_text(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    for line in answer.text.splitlines():
        assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0
