// Package modules finds the files of scripts as Node does, and tells what a script needs without running it.
//
// Resolve finds the file that require means by a name: a relative path, a folder, a package in node_modules with its
// main or its exports. Fingerprint is a short text that changes with a script and with the files that it requires.
// Scan reads a script and all files that it can reach by a require or import of a name that stands in the text, also
// those inside of functions, and lists what a Runtime lacks: modules, their members, globals, native addons.
//
// Nothing here runs a script, keeps a file open or remembers anything, so all functions may be called from any
// goroutine. Only regular files are read. How many a scan reads is bounded; a larger script is scanned in part.
package modules
