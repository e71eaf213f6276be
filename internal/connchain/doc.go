// Package connchain looks through connections that wrap others, as the handlers of layer4 make them, and ends the
// connection at the bottom the way that it should end.
//
// Nothing here owns a connection: its owner still closes it. The functions for descriptors are for callers
// that keep a socket outside of package net; such a caller must keep it open, and nonblocking, during the call.
//
// Bottom and All go from the outermost wrapper to the connection that has the socket:
//
//	layer4.Connection ─▶ tls.Conn ─▶ layer4.Connection ─▶ proxyproto.Conn ─▶ net.TCPConn
//
// All functions may be called from any goroutine, also while others read and write. None of them waits for the peer, but
// for HeaderError, which waits for a PROXY header.
package connchain
