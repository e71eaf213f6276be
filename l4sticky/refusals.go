package l4sticky

import (
	"net"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

// refusals log why connections are closed unserved, which strangers can cause.
type refusals struct {
	logger *zap.Logger
	limit  loglimit.Limiter
}

func newRefusals(logger *zap.Logger) *refusals {
	return &refusals{logger: logger, limit: loglimit.Limiter{LeftOut: func(lines int) {
		logger.Warn("closed more connections, left out of the log", zap.Int("left_out", lines))
	}}}
}

func (r *refusals) log(remote net.Addr, err error) {
	if r.limit.Admit() {
		r.logger.Error("closing a connection", zap.Stringer("remote", remote), zap.Error(err))
	}
}
