// Package listen keeps one listening socket for all configs that name its address, so that a reload loses no connection
// that waits in it (the network "seamless").
//
//	config 1 ─▶ Listener ─┐
//	                      ├─▶ the socket of the address ─▶ a loop accepts (Linux), or a goroutine
//	config 2 ─▶ Listener ─┘
//
// What comes in goes to the newest Listener whose config serves. While none does, it waits in the kernel, as it does when
// the process has no descriptors left. A Listener that closes leaves what it has not returned to the others; the last one
// goes on returning that from Accept, and then closes the socket.
//
// The caller of Accept owns the connection that it gets and closes it. On Linux that is a Conn, which costs next to
// nothing until it is read by waiting or written to: TakeSocket takes its descriptor for a loop, and then its owner's
// Close closes nothing any more.
//
// All functions and methods may be called from any goroutine.
package listen
