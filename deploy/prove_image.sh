#!/usr/bin/env bash
# Proves, without a Docker engine, that the Dockerfile builds and that its image serves.
#
#   deploy/prove_image.sh [--base IMAGE] [--mount PATH]... [--training]
#
#   --base IMAGE   build on this image; default: a Debian one with python3, made by debootstrap
#                  once and kept as localhost/latentd-proof-base
#   --mount PATH   let the build read this local file or folder at the same place: a certificate,
#                  a folder of wheels that pip is configured with
#   --training     build the image with EXTRAS=training as well, run a recipe in it into a store
#                  and serve what it published
#
# The build sees this machine's pip configuration (files and PIP_* variables). It needs root and
# Debian's packages buildah and debootstrap. Every line it prints is a thing that was seen to hold.
set -euo pipefail

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }

image=localhost/latentd-proof
base=''
training=''
mounts=()
while (($#)); do
    case $1 in
        --base) base=$2; shift 2 ;;
        --mount) mounts+=(--volume "$2:$2:ro"); shift 2 ;;
        --training) training=yes; shift ;;
        --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
container=''
server=''
clean_up() {
    if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait || true; fi
    if [[ -n $container ]]; then buildah rm "$container" >/dev/null; fi
    rm -rf "$scratch"
}
trap clean_up EXIT

held() { printf 'ok  %s\n' "$*"; }
fail() {
    printf 'NOT %s\n' "$*" >&2
    if [[ -f $scratch/log ]]; then tail -n 40 "$scratch/log" >&2; fi
    exit 1
}

make_base() {
    base=$image-base
    if buildah inspect --type image "$base" >/dev/null 2>&1; then return; fi
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm \
        "$scratch/root" >"$scratch/log" 2>&1 || fail 'debootstrap made a base'
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$scratch/root" / >/dev/null
    buildah commit --quiet --rm "$container" "$base" >/dev/null
    container=''
    rm -rf "$scratch/root"
}

# build NAME CONTEXT [ARGUMENT=VALUE]...: the log goes to $scratch/log.
build() {
    local name=$1 context=$2 argument arguments=()
    shift 2
    for argument in "BASE_IMAGE=$base" TORCH_INDEX_URL= "$@"; do
        arguments+=(--build-arg "$argument")
    done
    # The docker format: the OCI one has no HEALTHCHECK.
    buildah bud --isolation chroot --format docker --layers "${arguments[@]}" \
        --volume "$scratch/pip.conf:/etc/pip.conf:ro" "${mounts[@]}" --tag "$name" "$context" \
        >"$scratch/log" 2>&1 || fail "$name was built"
}

# configured KEY: a command of the image's configuration, one word a line.
configured() {
    buildah inspect --type image "$image" | python3 -c '
import json, sys
config = json.load(sys.stdin)["Docker"]["config"]
words = config["Healthcheck"]["Test"][1:] if sys.argv[1] == "Healthcheck" else config[sys.argv[1]]
print(*words, sep="\n")' "$1"
}

inside() { buildah run --isolation chroot --env "LATENTD_PORT=$port" "$container" -- "$@"; }

# server_process: the python process below buildah's own ones.
server_process() {
    local process=$server
    until [[ $(readlink "/proc/$process/exe") == */python* ]]; do
        process=$(pgrep --parent "$process" | head -n 1)
        [[ -n $process ]] || fail 'the server process was found'
    done
    echo "$process"
}

# serve [OPTION]...: runs the image's CMD, with options of buildah run, until it is ready.
serve() {
    local started=$SECONDS
    buildah run --isolation chroot --env "LATENTD_PORT=$port" "$@" "$container" -- \
        "${command[@]}" >"$scratch/log" 2>&1 &
    server=$!
    until inside "${health[@]}" >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || fail 'the service kept running'
        ((SECONDS - started < 120)) || fail 'the health check succeeded within 120 s'
        sleep 0.5
    done
    held "'${command[*]}' serves; '${health[*]}' succeeded after $((SECONDS - started)) s"
    local owner
    owner=$(stat --format %u "/proc/$(server_process)")
    ((owner != 0)) || fail 'the service runs as another user than root'
    held "the service runs as uid $owner"
    held "/sample?n=16&seed=1: $(inside python -c '
import io, sys, httpx, PIL.Image
answer = httpx.get(sys.argv[1]).raise_for_status()
sheet = PIL.Image.open(io.BytesIO(answer.content))
sheet.load()
assert sheet.format == "PNG" and answer.headers["content-type"] == "image/png", answer.headers
print("a PNG of", *sheet.size, "pixels,", len(answer.content), "bytes")
' "http://127.0.0.1:$port/sample?n=16&seed=1" || fail 'the sheet is a PNG')"
}

stop() {
    local started=$SECONDS status=0
    kill -TERM "$(server_process)"
    wait "$server" || status=$?
    server=''
    ((SECONDS - started <= 15)) || fail 'SIGTERM ended the service within 15 s'
    ((status == 0)) || fail "SIGTERM ended the service with exit status 0, not $status"
    held "SIGTERM ended it in $((SECONDS - started)) s with exit status 0"
    if inside "${health[@]}" >/dev/null 2>&1; then fail 'the health check noticed the end'; fi
    held 'the health check fails once nothing serves'
}

prove_contents() {
    [[ $(inside id -u) != 0 ]] || fail 'the user is not root'
    inside python -c '
import importlib.util, sys
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
sys.exit(f"the serving image holds {found}" if found else 0)
' training tests matplotlib sklearn tensorboard tqdm pytest mypy || fail 'only what serving needs'
    inside sh -c '! command -v cc gcc g++ make' || fail 'there is no compiler'
    inside sh -c '! touch app/written 2>/dev/null' || fail 'the code cannot be written'
    held 'no training extras, no training room, no tests, no compiler; not root; code read-only'
}

prove_layers() {
    mkdir "$scratch/context"
    cp -r Dockerfile .dockerignore pyproject.toml constraints.txt app model_store training \
        "$scratch/context"
    echo '# changed' >>"$scratch/context/app/__init__.py"
    build "$image-changed" "$scratch/context"
    buildah rmi "$image-changed" >/dev/null
    if grep -q 'Successfully installed' "$scratch/log"; then fail 'a change of code kept the layers'; fi
    held 'a change of code rebuilds without installing anything'
}

prove_training() {
    build "$image-training" . EXTRAS=training
    install -d -o 10001 -g 10001 "$scratch/store" "$scratch/runs"
    chmod 755 "$scratch"
    local trainer
    trainer=$(buildah from "$image-training")
    buildah run --isolation chroot --volume "$scratch/store:/store" --env LATENTD_STORE=/store \
        --volume "$scratch/runs:/srv/latentd/runs" "$trainer" -- \
        python -m training run digits >"$scratch/log" 2>&1 || fail 'the recipe digits ran'
    buildah rm "$trainer" >/dev/null
    held "EXTRAS=training runs 'digits' into a mounted store: $(cd "$scratch/store" && echo */*)"
    serve --volume "$scratch/store:/store:ro" --env LATENTD_STORE=/store
    stop
}

[[ -n $base ]] || make_base
held "base: $base"
{
    echo '[global]'
    python3 -m pip config list |
        sed -nE "s/^(:env:|global)\.\.?([a-z-]+)='(.*)'$/\2 = \3/p" | awk '!seen[$1]++'
} >"$scratch/pip.conf"

started=$SECONDS
build "$image" .
size=$(buildah images --format '{{.Size}}' "$image")
held "the image was built in $((SECONDS - started)) s and takes $size"
prove_layers
mapfile -t command < <(configured Cmd)
mapfile -t health < <(configured Healthcheck)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
container=$(buildah from "$image")
prove_contents
serve
stop
if [[ -n $training ]]; then prove_training; fi
echo 'the image is as docs/deployment.md says'
