// Command build makes ./caddy from xcaddy.json with this checkout as the module:
// the same binary that `xcaddy build --with github.com/caddy-sticky/caddy-sticky` gives.
//
// Run it in the root of the checkout:
//
//	go run ./build [-race] [-o caddy]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/xcaddy"
)

func main() {
	log.SetFlags(0)
	output := flag.String("o", "caddy", "where to put the binary")
	race := flag.Bool("race", false, "build with the race detector (needs a C compiler)")
	flag.Parse()

	builder, err := manifest("xcaddy.json")
	if err != nil {
		log.Fatal(err)
	}
	builder.RaceDetector = *race
	if err := builder.Build(context.Background(), *output); err != nil {
		log.Fatal(err)
	}
}

// manifest reads a JSON-encoded builder. Replacements by a relative path are taken from the
// manifest's own folder, because the build runs in a temporary one.
func manifest(path string) (xcaddy.Builder, error) {
	var builder xcaddy.Builder
	data, err := os.ReadFile(path)
	if err != nil {
		return builder, fmt.Errorf("reading the build manifest (run this in the root of the checkout): %w", err)
	}
	if err := json.Unmarshal(data, &builder); err != nil {
		return builder, fmt.Errorf("parsing the build manifest %s: %w", path, err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return builder, err
	}
	for i, r := range builder.Replacements {
		if local := string(r.New); strings.HasPrefix(local, ".") {
			builder.Replacements[i] = xcaddy.NewReplace(string(r.Old), filepath.Join(folder, local))
		}
	}
	return builder, nil
}
