// Package modules finds the files of scripts as Node does, and tells what a script needs without running it.
//
// Find and Resolve find the file that require means by a path or a name: a relative path, a folder, a package in node_modules with
// its main or its exports. Fingerprint is a short text that changes with a script and with the files that it requires.
// Scan reads a script and all files that it can reach by a require of a name that stands in the text, also
// those inside of functions, and lists what a Runtime lacks: modules, their members, globals, methods, native addons, ES modules.
//
//	Scan ─ a file ─▶ parseFile: its nodes, and what its variables are set to
//	                   └─▶ uses: what each node requires, needs, tests and sets ─▶ refer: what an expression means, such as fs.promises.stat
//
// Nothing here runs a script, keeps a file open or remembers anything, so all functions may be called from any
// goroutine. Only regular files are read. How many a scan reads is bounded; a larger script is scanned in part.
package modules
