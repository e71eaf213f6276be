//go:build !race

package l4sticky

// manyClients is how many clients come in a flood, and manySessions how many of them are remembered.
const (
	manyClients  = 10_000_000
	manySessions = 1_000_000
)
