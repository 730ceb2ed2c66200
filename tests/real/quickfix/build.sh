#!/bin/sh
# Builds the engine as DIRECTORY/engine: sh build.sh DIRECTORY
set -eu
mkdir -p "$1"
# QuickFIX declares what its functions throw, which C++ knows until C++14. Its headers take most of the time.
g++ -std=c++14 -O0 -w -o "$1/engine" "$(dirname "$0")/engine.cpp" -lquickfix
