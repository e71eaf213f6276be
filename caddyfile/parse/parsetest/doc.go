// Package parsetest helps the tests of modules that have a table of options. What the table itself does is tested in
// package parse; a module's own test calls CheckSyntax, so that the syntax comment that a reader finds above
// UnmarshalCaddyfile and the table do not drift apart. Only tests import it, and it holds nothing.
package parsetest
