#!/bin/sh
# Builds the judge, or another program, as DIRECTORY/judge: sh build.sh DIRECTORY [SOURCE]
set -eu
source=${2:-$(cd "$(dirname "$0")" && pwd)/judge.ml}
mkdir -p "$1"
cd "$1"
cp "$source" judge.ml

# ocamlfind runs a deriver by ppx_deriving, which is not needed when the deriver is linked to ppxlib's own driver.
# shellcheck disable=SC2046  # the answer is many words
ocamlopt -linkall \
  $(ocamlfind query -recursive -predicates ppx_driver,native -format '-I %d %a' ppx_bin_prot ppxlib.runner) -o ppx
ocamlfind ocamlopt -w +a-4-9-32..42-44-45-48-70 -thread -package bin_prot,unix,threads.posix \
  -ppx './ppx --as-ppx' -linkpkg judge.ml -o judge
