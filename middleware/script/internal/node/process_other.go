//go:build !unix

package node

import (
	"context"
	"errors"
	"os"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// supported says that processes can't be given pipes here.
const supported = false

func environment() []string { return os.Environ() }

// Start returns an error.
func (*Runtime) Start(context.Context, *decide.Script) (decide.Engine, error) {
	return nil, errors.ErrUnsupported
}
