#!/bin/sh
# Writes the pictures in docs/images: the exporter's status page and the
# onboarding dashboard, of the stack's second stall, when it is two minutes old.
# Takes nine minutes, and the first time some more to get Grafana's panels.
set -eu
folder=.tools/panels # Below tools/, ./... would look for Go among the modules.
mkdir -p "$folder"
cp tools/panels/package.json tools/panels/package-lock.json tools/panels/page.html "$folder/"
if ! test -d "$folder/node_modules"; then
	npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
	# Grafana's table wants its own fork of this module, which no registry has. It
	# is the module with contexts as React 18 spells them.
	sed -E -i 's/\b(jsxs?)\((\w+Context), \{/\1(\2.Provider, {/' "$folder/node_modules/react-data-grid/lib/index.js"
	mkdir -p "$folder/public/build"
	ln -s ../../node_modules/@grafana/ui/dist/public/img "$folder/public/build/img"
fi
go build -o "$folder/stack" ./tools/stack
"$folder/stack" -scenario kyc-stall >"$folder/stack.log" &
stack=$!
NODE_PATH="$folder/node_modules" node tools/panels/serve.cjs "$folder" &
panels=$!
trap 'kill $stack $panels; wait' EXIT
sleep "${1:-490}"

address() { sed -n "s|^ *$1 *\(http://[^/]*\).*|\1|p" "$folder/stack.log"; }
photograph() {
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=20000 --window-size="$2" \
		--screenshot="docs/images/$1" "$3" 2>"$folder/chromium.log"
}
photograph status.png 1280,880 "$(address exporter)/"
photograph onboarding.png 1272,746 "http://127.0.0.1:10108/page.html?minutes=9&prometheus=$(address Prometheus)"
