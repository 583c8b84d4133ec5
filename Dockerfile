# The server: docker build -t likeness .   (compose.yaml runs it; docs/serve.md says what it may and may not do)
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY examples examples
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
# Everything that is written lies in /data: jobs, fetched models, compiled networks. The root may be read-only.
ENV LIKENESS_HOME=/data/models \
    XDG_STATE_HOME=/data/state \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[serve]" \
    && rm -r /wheels \
    && useradd --no-log-init --uid 10001 --home-dir /data likeness \
    && install -d -o likeness -m 700 /data
USER 10001
VOLUME /data
EXPOSE 8470
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8470/healthz', headers={'Host': 'localhost'}), timeout=4)"]
CMD ["likeness", "serve", "--host", "0.0.0.0", "--data", "/data/jobs", "--allow-host", "localhost"]
