// Package privileges keeps a server from running as root. It has two halves, for the two moments at which something can
// be done about it:
//
//	process start ──▶ User.Become ──▶ Caddy opens sockets and files ──▶ each config: App.Provision
//	                  root becomes                                      refuses the config unless the process
//	                  the user                                          is the user's
//
// Become drops root's privileges before Caddy opens anything: later, Caddy's sockets would belong to two users and the next
// reload would fail. The command that starts Caddy calls it once, from one goroutine, before it starts others that depend
// on the process's user; the change holds for all threads and cannot be undone. If it returns an error, the process
// may have lost some of its privileges and must end.
//
// App is the module for a config. It changes nothing and holds nothing: it only returns an error if the process is not the
// user's, or still has more than the user may have. On systems other than Linux nothing can be dropped, and Become only
// succeeds if the process already is the user's.
package privileges
