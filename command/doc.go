// Package command is `caddy sticky`: what the admin API below /sticky/ tells and does, as commands of the shell.
//
// # What it promises
//
// Each command asks one admin endpoint, prints a table, or the API's own answer with --json, and exits with 0 when what was asked for is
// done and with 1 otherwise, with the reason on the standard error output. The endpoint is the one of --address, or of the config in --config;
// else that of the load balancer of the current folder, if `caddy loadbalancer` has started one there; else Caddy's default. What an endpoint
// answers cannot change how a terminal behaves.
//
// # Who owns what, and goroutines
//
// A command makes its own client and closes it. Everything runs on the goroutine that calls the command, once in a process.
package command
