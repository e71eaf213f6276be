// Package portowner finds out which other process listens on a TCP port.
//
// All of Caddy's sockets have the option SO_REUSEPORT, by which two processes of one user share a port without an error
// from the system: the clients are then spread over both at random. So a caller that is about to listen asks Other first, and
// holds Lock meanwhile, since two processes that ask at the same moment would both find the port free.
//
// Other reads the tables in /proc. It knows the processes that the user may look at; a socket of another one is
// reported as a Process without PID. Lock is an abstract Unix socket, which the system closes when the process ends.
// Systems other than Linux give no such answers: there Other finds nothing and Lock does nothing. The functions may be
// called on any goroutine. Other takes milliseconds with many sockets, and Lock waits for up to two seconds, so neither
// belongs into an event loop.
package portowner
