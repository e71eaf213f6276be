package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/caddyserver/xcaddy"
)

func main() {
	log.SetFlags(0)
	output := flag.String("o", "caddy", "where to put the binary")
	race := flag.Bool("race", false, "build with the race detector (needs a C compiler)")
	flag.Parse()
	if err := build(*output, *race); err != nil {
		log.Fatal(err)
	}
}

// build has xcaddy work beside a link to the checkout. The path by which it finds this module lands in the binary, and so
// is the same on every machine: the same sources give the same bytes.
func build(output string, race bool) error {
	builder, err := manifest("xcaddy.json")
	if err != nil {
		return err
	}
	builder.RaceDetector = race
	checkout, err := os.Getwd()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "caddy-sticky-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	const link = "caddy-sticky"
	if err := os.Symlink(checkout, filepath.Join(folder, link)); err != nil {
		return fmt.Errorf("preparing the build: %w", err)
	}
	for i, r := range builder.Replacements {
		if local := string(r.New); strings.HasPrefix(local, ".") {
			builder.Replacements[i] = xcaddy.NewReplace(string(r.Old), "../"+path.Join(link, local))
		}
	}
	for _, variable := range []string{"TMPDIR", "TMP", "TEMP"} { // of Unix and Windows, for xcaddy's own folder
		if err := os.Setenv(variable, folder); err != nil {
			return err
		}
	}
	return builder.Build(context.Background(), output)
}

// manifest reads a JSON-encoded builder.
func manifest(path string) (builder xcaddy.Builder, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return builder, fmt.Errorf("reading the build manifest (run this in the root of the checkout): %w", err)
	}
	if err := json.Unmarshal(data, &builder); err != nil {
		return builder, fmt.Errorf("parsing the build manifest %s: %w", path, err)
	}
	return builder, nil
}
