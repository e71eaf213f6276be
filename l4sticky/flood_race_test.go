//go:build race

package l4sticky

const (
	manyClients  = 50_000
	manySessions = 5_000
)
