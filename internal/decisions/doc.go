// Package decisions is what the matcher that asks middlewares and the handlers that come after it agree on: how long it has
// taken to decide about a connection. They do not know each other.
//
// The matcher leaves its decisions among the variables of the connection, under keys of its own. A handler that wants to know
// looks at all variables, so that nothing more is kept for those that don't. Like the variables, they belong to the goroutine
// that handles the connection.
package decisions
