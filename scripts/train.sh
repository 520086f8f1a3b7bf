#!/usr/bin/env bash
# Everything behind the bundled weights: reads the scenes, trains both sets (best grows from a smaller one). Resumes.
#     bash scripts/train.sh SCENES/index.json RUN_FOLDER
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
index=$1 run=$2
mkdir -p "$run"
[ -f "$run/scenes.safetensors" ] || "$python" "$root/scripts/prepare_training.py" "$index" "$run/scenes.safetensors" --halve S2_virginia
train() { "$python" "$root/scripts/train.py" "$run/scenes.safetensors" "$run/$1" --name "$@"; }
train fast --width 16 --blocks 3 --regression 44000 --transport 5000
train middle --width 32 --blocks 6 --regression 40000 --transport 0
train large --width 48 --blocks 8 --regression 25000 --transport 0 --rate 0.0006 --start "$run/middle/middle.safetensors"
train moved --width 48 --blocks 8 --regression 0 --transport 4000 --start "$run/large/large.safetensors"
mkdir -p "$run/best"
"$python" "$root/scripts/mix_weights.py" "$run/large/large.safetensors" "$run/moved/moved.safetensors" 0.3 "$run/best/best.safetensors"
# For Landsat: from the general sets, on its own pairs.
train landsat_fast --family Landsat --width 16 --blocks 3 --regression 40000 --transport 0 --rate 0.0008 --start "$run/fast/fast.safetensors"
train landsat_best --family Landsat --width 48 --blocks 8 --regression 8000 --transport 0 --rate 0.0004 --start "$run/best/best.safetensors"
# For Sentinel-2: from the general sets, bands of 20 m with those of 10 m as guides.
train sentinel2_fast --family Sentinel-2 --width 16 --blocks 3 --regression 6000 --transport 0 --rate 0.0006 --start "$run/fast/fast.safetensors"
train sentinel2_best --family Sentinel-2 --width 48 --blocks 8 --regression 5000 --transport 0 --rate 0.0005 --start "$run/best/best.safetensors"
say "The weights: $run/fast/fast.safetensors, $run/best/best.safetensors, and those of the sensors"
