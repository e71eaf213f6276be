//go:build !race

package middleware

// manyClients is how many clients come in a flood.
const manyClients = 10_000_000
