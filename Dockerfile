# MedQA Lab in one image: the app, its libraries with a CPU build of torch, the shipped runs, the embedded model.
#
#   docker build -t medqa-lab .
#   docker run --rm -p 7860:7860 medqa-lab
#
# docs/hosting.md: free hosts, memory, what to set behind a proxy, a read-only container.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# Where torch comes from. `--build-arg TORCH_INDEX=` takes pip's own index, whose build for NVIDIA GPUs is gigabytes.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PATH=/opt/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MEDQA_CACHE=/var/cache/medqa-lab \
    MEDQA_REPORTS=/var/lib/medqa-lab
WORKDIR /app

# torch alone first; what it needs comes with the rest, in the versions that constraints.txt names.
COPY requirements.txt constraints.txt ./
RUN python -m venv /opt/venv \
    && pip install --no-deps ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' requirements.txt)" \
    && pip install -r requirements.txt -c constraints.txt \
    && pip check

# Compiled here because the user of the image cannot write into /app.
COPY app.py LICENSE ./
COPY .streamlit .streamlit
COPY medqa_core medqa_core
COPY pages pages
RUN python -m compileall -q app.py medqa_core pages && python -m medqa_core data fetch

# One question to each shipped run that holds a model: an image whose models cannot answer is not built, and what a first
# question puts into the cache is there before the first visitor. --build-arg ASK= leaves it out.
ARG ASK="medquad-open-book medquad-closed smollm2-medquad starter"
COPY reports ${MEDQA_REPORTS}
RUN for run in $ASK; do python -m medqa_core ask "$run" "What causes gout?" --max-tokens 8 || exit 1; done


FROM ${PYTHON_IMAGE}
# Hugging Face runs a Space as user 1000. It may write the cache and the run store, and nothing else.
RUN useradd --uid 1000 --create-home lab
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=1000:1000 /var/cache/medqa-lab /var/cache/medqa-lab
COPY --from=build --chown=1000:1000 /var/lib/medqa-lab /var/lib/medqa-lab
COPY --from=build /app /app
WORKDIR /app

# HF_HOME and GRADIO_TEMP_DIR keep what these libraries may write out of the user's home. With a server address given,
# Streamlit does not ask another host at start for the machine's own. The name that visitors will use is not known here:
# MEDQA_HOSTS=lab.example.org narrows it.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MEDQA_PUBLIC=1 \
    MEDQA_HOSTS=* \
    MEDQA_CACHE=/var/cache/medqa-lab \
    MEDQA_REPORTS=/var/lib/medqa-lab \
    HF_HOME=/var/cache/medqa-lab/huggingface \
    GRADIO_TEMP_DIR=/tmp/gradio \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    PORT=7860

USER 1000
EXPOSE 7860
# The first probes come while nothing is loaded yet; the server is up within seconds, the models load with a question.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$PORT/_stcore/health', timeout=4)"
# A shell, because hosts such as Cloud Run and Render choose PORT when they start the container. It stays, because a
# container's first process is not ended by a signal: the server would tidy up its libraries for longer than the ten
# seconds that engines grant. As a child it ends as soon as its connections are closed.
CMD ["sh", "-c", "trap 'kill -TERM $!' TERM INT; \
     streamlit run app.py --server.address 0.0.0.0 --server.port \"$PORT\" & wait $!; code=$?; wait $!; exit $code"]
