//go:build race

package l4sticky

const (
	manyClients  = 100_000
	manySessions = 10_000
)
