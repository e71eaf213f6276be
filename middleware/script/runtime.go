package script

import (
	"context"
	"fmt"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/node"
)

const (
	runtimeAuto     = "auto"
	runtimeEmbedded = "embedded"
	runtimeNode     = "node"
)

const (
	defaultMemory = 256 << 20
	leastMemory   = 16 << 20
)

// load loads the script in the runtime that is given by its name.
func load(ctx context.Context, runtime, path, nodePath string, o decide.Options) (s *decide.Script, err error) {
	switch runtime {
	case runtimeEmbedded:
		s, err = inEmbedded(path, o)
	case runtimeNode:
		n, missing := node.Find(ctx, nodePath)
		if missing != nil {
			return nil, fmt.Errorf("runtime: %w", missing)
		}
		s, err = decide.Open(path, o, n)
	default:
		s, err = loadAuto(ctx, path, nodePath, o)
	}
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	return s, nil
}

// loadAuto loads the script in the embedded runtime if it can be loaded there, and else in Node.js.
func loadAuto(ctx context.Context, path, nodePath string, o decide.Options) (*decide.Script, error) {
	s, notEmbedded := inEmbedded(path, o)
	if notEmbedded == nil {
		o.Logger.Info("the script runs in the embedded runtime, where it could be loaded", "script", path)
		return s, nil
	}
	n, err := node.Find(ctx, nodePath)
	if err != nil {
		return nil, fmt.Errorf("%w (runtime embedded); nor is there the runtime node: %w", notEmbedded, err)
	}
	if s, err = decide.Open(path, o, n); err != nil {
		return nil, fmt.Errorf("%w (runtime embedded); %w (runtime node)", notEmbedded, err)
	}
	o.Logger.Info("the script runs in Node.js, since it could not be loaded in the embedded runtime",
		"script", path, "node", n.Path(), "version", n.Version(), "reason", notEmbedded.Error())
	return s, nil
}

// inEmbedded loads the script in the embedded runtime. What that lacks is found by reading the script's files first, so that
// a script is not refused a client as late as when it requires something.
func inEmbedded(path string, o decide.Options) (*decide.Script, error) {
	needs, err := modules.Scan(path, modules.Runtime{
		Modules: embedded.Builtins(), Missing: embedded.MissingGlobals, Methods: embedded.MissingMethods, Options: embedded.MissingOptions,
	})
	if err != nil {
		return nil, err
	}
	if len(needs) > 0 {
		return nil, needs
	}
	return decide.Open(path, o, embedded.NewRuntime())
}
