// Package hijack tells a module of layer4 when a connection is over, and lets it end the connection, though another
// module keeps that connection longer than it handles it.
//
// layer4 closes a connection as soon as its handlers have returned. A handler may have a connection carried on beyond
// that, as `sticky_proxy` does, which gives the client's socket to an event loop. That is what package net/http calls
// hijacking: the end of the connection is the handler's business from then on, and layer4 knows nothing of it. A module
// that came earlier, such as a matcher that has let the client in, watches the connection to learn of its end all the
// same:
//
//	the watching module                      the handler
//
//	w := hijack.Watch(cx)
//	w.OnEnd(forget)
//	                                         if hijack.Watched(cx) {
//	                                         	done = hijack.Hijack(cx, abort)
//	                                         }
//	                                         return nil     // layer4 closes what it has
//	w.End()         ────────────────────▶    abort()
//	forget()        ◀────────────────────    done()
//
// A connection that is watched and not hijacked is over when its socket is closed. A handler that returns when the
// connection is over need not know of this package, and one that hijacks a connection need not know whether it is watched.
//
// Watch, Watched and Hijack use the variables of the connection, which have no lock: they must be called while the
// connection is matched or handled, by the goroutine that does so. The methods of Watcher may be called by any goroutine.
package hijack
