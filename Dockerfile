# docker build -t token-monitor .
# docker run --read-only --cap-drop ALL -e FACEFUSION_API_TOKEN -v token-monitor:/var/lib/token-monitor token-monitor
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY token_monitor token_monitor
# pip works on the virtual environment from outside: the image gets none. Bytecode is made here and never checked
# again, because the container's root is read-only and layers do not keep file times reliably.
RUN python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && python3 -m venv --without-pip /opt/token-monitor \
 && python3 -m pip --python /opt/token-monitor install --no-cache-dir --no-compile /wheels/*.whl \
 && /opt/token-monitor/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/token-monitor/lib \
 && mkdir /data

FROM ${PYTHON_IMAGE}
# The slim Python images come without the standard library's bytecode; compiling it at every start costs seconds of CPU.
RUN ["python3", "-c", "import compileall, re, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, rx=re.compile('/(test|idlelib|lib2to3|tkinter|turtledemo|ensurepip|site-packages|dist-packages)/'))"]
COPY --from=build /opt/token-monitor /opt/token-monitor
# A new volume takes its owner and mode from what the image has at its place.
COPY --from=build --chown=65532:65532 /data /var/lib/token-monitor

ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="token-monitor" \
      org.opencontainers.image.description="Watches prepaid balances of AI services and warns before they are gone" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"

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
