# The service as an image: the CPU build by default, CUDA or the training room by build arguments.
#
#   docker build -t latentd .
#   docker build -t latentd:cuda --build-arg TORCH_INDEX_URL= .
#   docker build -t latentd:training --build-arg EXTRAS=training .
#
# BASE_IMAGE needs python3 (3.11 or newer) with venv. docs/deployment.md describes every argument.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS dependencies
# Where torch itself comes from; empty: from wherever pip is configured to look, which gives the
# CUDA build on Linux unless that place offers another.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
# Extras of pyproject.toml, comma-separated: compress, training.
ARG EXTRAS=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
# Without the code, so that a change of code reuses the layers below. The distribution installed
# from here is the name, the version and the requirements; the code comes later and stays outside.
COPY pyproject.toml constraints.txt ./
RUN python3 -m venv /opt/venv
# --no-deps: only torch comes from that index, and if it cannot be had there the build fails.
RUN /opt/venv/bin/pip install --no-deps --constraint constraints.txt \
        ${TORCH_INDEX_URL:+--index-url "${TORCH_INDEX_URL}"} torch
RUN /opt/venv/bin/pip install --constraint constraints.txt ".${EXTRAS:+[${EXTRAS}]}"

FROM ${BASE_IMAGE} AS code
ARG EXTRAS=""
WORKDIR /srv/latentd
COPY app app
COPY image_files image_files
COPY model_store model_store
COPY training training
# The service may read and never write its code; compiled here because it could not do so itself.
# Training writes below runs, as whoever the container runs as.
RUN case ",${EXTRAS}," in *,training,*) ;; *) rm -r training ;; esac \
    && python3 -m compileall -q . \
    && chmod -R a+rX,go-w . \
    && if [ -d training ]; then mkdir runs && chmod 1777 runs; fi

FROM ${BASE_IMAGE} AS serving
LABEL org.opencontainers.image.title="latentd" \
      org.opencontainers.image.description="Serves variational autoencoders over HTTP" \
      org.opencontainers.image.version="0.1.0"
# A fixed number, so that mounted folders can be given to it and Kubernetes can see it is not root.
RUN groupadd --gid 10001 latentd \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin latentd
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=code /srv/latentd /srv/latentd
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LATENTD_HOST=0.0.0.0 \
    LATENTD_PORT=8000
WORKDIR /srv/latentd
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "app", "health"]
CMD ["python", "-m", "app"]
