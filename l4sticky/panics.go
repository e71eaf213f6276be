package l4sticky

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

func init() {
	safely.SetReporter(newPanicLog(func() *zap.Logger { return caddy.Log().Named("layer4.sticky") }))
}

// newPanicLog returns what logs the panics of all parts of the project, with the logger of the config that runs. The
// lines are bounded, since a client that knows how to make us panic will do it again.
func newPanicLog(logger func() *zap.Logger) func(place string, fault any, stack []byte) {
	limit := &loglimit.Limiter{LeftOut: func(lines int) {
		logger().Error("more panics, left out of the log", zap.Int("left_out", lines))
	}}
	return func(place string, fault any, stack []byte) {
		if limit.Admit() {
			logger().Error("panic", zap.String("place", place), zap.String("error", fmt.Sprint(fault)), zap.ByteString("stack", stack))
		}
	}
}
