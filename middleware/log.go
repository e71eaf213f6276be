package middleware

import (
	"net"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

// A blockLogger logs who is kept out and why.
type blockLogger struct {
	logger *zap.Logger
	limit  loglimit.Limiter
}

func newBlockLogger(logger *zap.Logger) *blockLogger {
	return &blockLogger{logger: logger, limit: loglimit.Limiter{LeftOut: func(lines int) {
		logger.Info("blocked more clients, left out of the log", zap.Int("left_out", lines))
	}}}
}

func (l *blockLogger) log(client net.Addr, v verdict) {
	if !l.limit.Admit() {
		return
	}
	fields := []zap.Field{zap.Stringer("client", client), zap.String("middleware", v.middleware), zap.String("reason", v.reason)}
	if v.stack != "" {
		l.logger.Error("blocked a client", append(fields, zap.String("stack", v.stack))...)
		return
	}
	l.logger.Info("blocked a client", fields...)
}

// refuse logs why a client is not even decided about.
func (l *blockLogger) refuse(remote net.Addr, err error) {
	if l.limit.Admit() {
		l.logger.Error("closing a connection", zap.Stringer("remote", remote), zap.Error(err))
	}
}
