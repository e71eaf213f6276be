// Package script is the middleware `script`, which asks a balancerController script of LoadBalancer.js whether a client may
// come in.
//
//	Matcher ──▶ Script.Decide ──▶ decide.Script: clients wait ──▶ an engine runs the script
//
// Provision loads the script and Cleanup retires it: the clients that wait have their answer first. Decide may be called
// by many goroutines at a time, and returns as soon as its context ends.
package script
