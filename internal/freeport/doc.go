// Package freeport gives tests ports to listen on that no other test gets, in whichever process it runs, so that packages
// can be tested side by side.
//
// The ports lie below those that the system takes for outgoing connections: one of these could be taken in the moment in
// which a test's server is down, and a dial to it could even connect to itself.
package freeport
