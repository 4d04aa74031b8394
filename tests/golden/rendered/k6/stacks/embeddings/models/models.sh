#!/bin/sh
# models.sh pull|check: succeed when the server has every model of models.txt.
#
# A model that is there is not pulled again: that needs no network, and a tag that moved upstream
# changes nothing behind one's back.
while read -r model; do
    ollama show "$model" </dev/null >/dev/null 2>&1 && continue
    [ "$1" = pull ] && ollama pull "$model" </dev/null && continue
    echo "the model $model is not there" >&2
    exit 1
done <"${0%/*}/models.txt"
