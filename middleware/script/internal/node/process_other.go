//go:build !unix

package node

import (
	"context"
	"errors"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// supported says that processes can't be given pipes here.
const supported = false

// Start returns an error.
func (*Runtime) Start(context.Context, *decide.Script) (decide.Engine, error) {
	return nil, errors.ErrUnsupported
}
