# Only the server: without torch, a compiler or a package manager in its environment, and not as root.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/venv
# Dependencies come first, so that a change of the code does not install them again.
COPY pyproject.toml constraints.txt docker/requirements.py ./
RUN python requirements.py pyproject.toml > requirements.txt \
 && pip --python /opt/venv/bin/python install --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE setup.py hourglass_entry.py ./
COPY app app
RUN pip --python /opt/venv/bin/python install --no-deps . \
 && rm /opt/venv/bin/hourglass-train

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hourglass
COPY --from=build /opt/venv /opt/venv
COPY docker/healthcheck.py /opt/healthcheck.py
COPY models /srv/models
# The application sets ORT_DISABLE_TELEMETRY, too; here it also holds for other programs in the container.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HOURGLASS_HOST=0.0.0.0 \
    HOURGLASS_PORT=8000 \
    HOURGLASS_MODELS_DIR=/srv/models
USER 10001:10001
WORKDIR /srv
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["python", "/opt/healthcheck.py"]
# The exec form makes the server process 1, so that it receives SIGTERM itself.
CMD ["hourglass"]
