// Package pooltargets lets middlewares look at the targets of the pools and deactivate them, without importing the balancer, which
// a build of Caddy need not have.
//
// It promises that what the balancer provides as its program starts is what every middleware gets. The balancer owns the
// implementation, whose methods may be called on any goroutine; Provide is called while packages are initialized only.
package pooltargets
