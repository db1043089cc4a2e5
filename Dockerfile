# The server alone, in an image that is built from nothing: no shell, no package manager, no torch, and not root.
# docs/guides/image.md says what is in it and why.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
WORKDIR /src
RUN python -m venv --without-pip /opt/venv && python -m venv --without-pip /opt/tools
# Dependencies come first, so that a change of the code does not install them again. EXTRA=grpc adds those of gRPC.
ARG EXTRA=
COPY docker/requirements*.txt docker/
RUN pip --python /opt/venv/bin/python install --require-hashes --only-binary :all: \
    --requirement "docker/requirements${EXTRA:+-$EXTRA}.txt" \
 && pip --python /opt/tools/bin/python install --require-hashes --only-binary :all: --requirement docker/requirements-build.txt
COPY pyproject.toml README.md LICENSE setup.py hourglass_entry.py ./
COPY app app
RUN pip --python /opt/tools/bin/python wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/venv/bin/python install --no-deps --no-index /wheels/*.whl
COPY docker docker
COPY models models
RUN /opt/tools/bin/python -m docker.assembly --environment /opt/venv --models models

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="Hourglass" \
      org.opencontainers.image.description="Serves autoencoders over REST: encode, decode, reconstruct, denoise, generate." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /image/system /
COPY --from=build /image/environment /
COPY models /srv/models
COPY docker/healthcheck.py /opt/healthcheck.py
COPY --from=build /image/application /
COPY --from=build /image/about /
# The application sets ORT_DISABLE_TELEMETRY, too; here it also holds for other programs in the container.
ENV PATH=/opt/venv/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HOURGLASS_HOST=0.0.0.0 \
    HOURGLASS_PORT=8000 \
    HOURGLASS_MODELS_DIR=/srv/models
USER 10001:10001
WORKDIR /srv
# The build fails if the image lacks anything: every model, format and page is tried in it.
RUN --network=none --mount=type=bind,source=docker/proof.py,target=/tmp/proof.py ["python", "/tmp/proof.py"]
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-IS", "/opt/healthcheck.py"]
# The exec form makes the server process 1, so that it receives SIGTERM itself.
ENTRYPOINT ["hourglass"]
