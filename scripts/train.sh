#!/usr/bin/env bash
# Everything behind the bundled weights: reads the scenes, trains, goes on with softer PANs. Stopped, it resumes.
#     bash scripts/train.sh SCENES/index.json RUN_FOLDER
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
index=$1 run=$2
train() { "$python" "$root/scripts/train.py" "$run/scenes.safetensors" "$@" --half; }
mkdir -p "$run"
[ -f "$run/scenes.safetensors" ] || "$python" "$root/scripts/prepare_training.py" "$index" "$run/scenes.safetensors"
train "$run/first" --steps 48000
train "$run/second" --steps 14000 --seed 2 --start "$run/first/otfm.safetensors" \
  --learning-rate 4e-4 --squares 3 3 --pan-blur 0.5
say "The weights: $run/second/otfm.safetensors"
