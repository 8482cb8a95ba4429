# docker build -t token-monitor .                     the core: the target `slim`
# docker build --target full -t token-monitor:full .  with every extra
# docker build --target bundled --build-arg BASE_IMAGE=… -t inference .   an inference image with the monitor in it
#
# docker run --read-only --cap-drop ALL -e FACEFUSION_API_TOKEN -v token-monitor:/var/lib/token-monitor token-monitor
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG BASE_IMAGE=nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_COMPILE=0 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# pip works on the virtual environment from outside: the images get none.
COPY deploy/docker/requirements-build.txt deploy/docker/requirements-slim.txt ./
RUN python3 -m venv /build \
 && /build/bin/pip install --require-hashes --only-binary :all: -r requirements-build.txt \
 && python3 -m venv --without-pip /opt/token-monitor \
 && /build/bin/pip --python /opt/token-monitor install --require-hashes --only-binary :all: -r requirements-slim.txt \
 && mkdir -p /empty /private/token-monitor && chmod 700 /private/token-monitor
COPY pyproject.toml README.md LICENSE ./
COPY token_monitor token_monitor
# Bytecode is made here and never checked again, because the container's root is read-only and layers do not keep file
# times reliably.
RUN /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/token-monitor install --no-deps /wheels/*.whl \
 && find /opt/token-monitor/bin -mindepth 1 ! -name "python*" ! -name token-monitor -delete \
 && /opt/token-monitor/bin/python -m compileall -fq --invalidation-mode unchecked-hash /opt/token-monitor/lib

FROM ${PYTHON_IMAGE} AS runtime
# The slim Python images come without the standard library's bytecode; compiling it at every start costs seconds of CPU.
RUN ["python3", "-c", "import compileall, re, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, rx=re.compile('/(test|idlelib|lib2to3|tkinter|turtledemo|ensurepip|site-packages|dist-packages)/'))"]
# A new volume takes its owner and mode from what the image has at its place.
COPY --from=build --chown=65532:65532 /private /var/lib
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="token-monitor" \
      org.opencontainers.image.description="Watches prepaid balances of AI services and warns before they are gone" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# SAFEPATH: nothing is imported from the working directory.
ENV PATH=/opt/token-monitor/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    TOKEN_MONITOR_DATA=/var/lib/token-monitor \
    TOKEN_MONITOR_LISTEN=0.0.0.0:9775
# Root's own: the place for a mounted .env or config file.
WORKDIR /etc/token-monitor
USER 65532:65532
VOLUME /var/lib/token-monitor
EXPOSE 9775
HEALTHCHECK --interval=60s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-m", "token_monitor.healthcheck"]
ENTRYPOINT ["python", "-m", "token_monitor"]
CMD ["run"]

FROM runtime AS slim
COPY --from=build /opt/token-monitor /opt/token-monitor

FROM build AS build-full
COPY deploy/docker/requirements-full.txt ./
RUN /build/bin/pip --python /opt/token-monitor install --require-hashes --only-binary :all: -r requirements-full.txt \
 && find /opt/token-monitor/bin -mindepth 1 ! -name "python*" ! -name token-monitor -delete \
 && /opt/token-monitor/bin/python -m compileall -fq --invalidation-mode unchecked-hash /opt/token-monitor/lib

FROM runtime AS full
COPY --from=build-full /opt/token-monitor /opt/token-monitor

FROM build-full AS build-bundled
COPY deploy/docker/requirements-bundled.txt deploy/docker/own_runtime.py ./
RUN /build/bin/pip --python /opt/token-monitor install --require-hashes --only-binary :all: -r requirements-bundled.txt \
 && python3 own_runtime.py /build/bin/patchelf \
 && /opt/token-monitor/bin/python -I -m compileall -fq --invalidation-mode unchecked-hash \
    /opt/token-monitor/lib /opt/token-monitor/python/lib

# Nothing runs in this stage and nothing of the base is changed: it may be older than we are, and have any Python or none.
FROM ${BASE_IMAGE} AS bundled
COPY --from=build-bundled /opt/token-monitor /opt/token-monitor
COPY deploy/docker/begin.py deploy/docker/supervise.py deploy/docker/supervisord.conf /opt/token-monitor/
COPY --from=build /empty /etc/token-monitor
# Inference and monitor run as this user. Inference that needs the rights of root: --build-arg BUNDLED_USER=0:0; the
# monitor runs as 65532 then.
ARG BUNDLED_USER=65532:65532
COPY --from=build --chown=${BUNDLED_USER} /private /var/lib
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="token-monitor bundled" \
      org.opencontainers.image.description="An inference process, and token-monitor beside it under supervisord" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# What the base has loaded into every program may need the base's own C library: only inference gets it (begin.py).
ENV INFERENCE_LD_AUDIT="${LD_AUDIT}" \
    INFERENCE_LD_PRELOAD="${LD_PRELOAD}"
ENV LD_AUDIT="" \
    LD_PRELOAD="" \
    INFERENCE_COMMAND="python facefusion.py run --execution-providers cuda" \
    TOKEN_MONITOR_DATA=/var/lib/token-monitor \
    TOKEN_MONITOR_LISTEN=0.0.0.0:9775
USER ${BUNDLED_USER}
VOLUME /var/lib/token-monitor
EXPOSE 9775
# That of the base may be one that restarts supervisord.
STOPSIGNAL SIGTERM
# Says how the monitor is and always passes: whoever restarts unhealthy containers would end the inference process.
HEALTHCHECK --interval=60s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/token-monitor/bin/python", "-I", "-m", "token_monitor.healthcheck", "--report"]
ENTRYPOINT ["/opt/token-monitor/bin/python", "-I", "/opt/token-monitor/supervise.py"]
CMD []

# Without --target.
FROM slim
