FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 taskdeck \
    && install --directory --owner taskdeck --mode 700 /data

WORKDIR /taskdeck
COPY requirements.lock .
RUN pip install --no-cache-dir --requirement requirements.lock
COPY app.py ./
COPY .streamlit .streamlit
COPY api api
COPY core core
COPY migrations migrations
COPY pages pages

USER taskdeck
ENV TASKDECK_DATA=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=60s --interval=15s --timeout=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/api/health?live=true')"]
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0", "--server.port", "8501"]
