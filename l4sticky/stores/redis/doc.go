// Package redis has the session store `layer4.sticky.stores.redis`, which keeps sessions in Redis (6.2 or later) or Valkey.
//
//	sticky:default{k}10.1.2.3    10.0.0.11:8000 k3x9ab   a session: its target, and the nodes at which the client has connections
//	sticky:{default}:nodes       a hash: each node, when it was noted, its interval, its connections and its host
//	sticky:{default}:settings    a hash: what is set for each target
//	sticky:{default}:generation  a random text, which is another one after the server has lost what it had
//	sticky:default:news          the channel of news
//
// # What it promises
//
// What the interface says, by scripts that run in the server. A session is a key that expires. A batch of sessions is a few commands, which are sent at once. In a
// cluster, all keys of a command have the same hash tag, so that it keeps them at one of its nodes: the sessions of a pool have 64 tags.
//
// A config is loaded whether there is a server or not. Until the first connection is there, which is tried once in a second, all methods return
// an error; the client connects again by itself after that. No error has a password in its text.
//
// # Who owns what
//
// Stores with the same options share a connection, which outlives the configs that use it: the last one to be cleaned up closes it, in
// the background. A connection is one socket for each server, and another one for each call of Listen.
//
// # Goroutines
//
// All methods may be called at the same time. Each call waits in the goroutine of its caller while others send it and read the answer, so that it returns as soon as
// its context ends, whatever the server does.
package redis
