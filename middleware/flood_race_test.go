//go:build race

package middleware

const manyClients = 100_000
