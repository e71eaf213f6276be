// Package cli has what the project's commands of the shell have in common.
//
// It promises that what strangers have named cannot change how a terminal behaves, and that a command which does not exist is
// an error that says which one may have been meant. It keeps nothing, owns nothing, and may be called on any goroutine.
package cli
