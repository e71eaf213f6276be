package modules

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A scan reads at most scanFiles files and scanBytes in all. A file of more than scanFile bytes is passed over. So it takes less
// than a second.
const (
	scanFiles = 500
	scanBytes = 4 << 20
	scanFile  = 1 << 20
)

// Runtime tells what a runtime gives to scripts.
type Runtime struct {
	// Modules are the built-in modules by their name without `node:`, each with the names of its members. The members of a
	// member are those of a module, such as `fs/promises` or `process/env`. A module whose members are nil has all.
	Modules map[string][]string
	// Missing are the names of Node's globals that the runtime lacks.
	Missing []string
	// Methods are the names of methods that the runtime's objects lack and those of Node have. A script must call none of that name.
	Methods []string
}

// Need is something that a script uses and a runtime lacks.
type Need struct {
	File string // relative to the folder of the script if it is in there
	Line int
	What string // as it stands in a script, such as `require("http")`, `fs.writeFileSync` or `fetch`
}

// String returns the place and what is needed there.
func (n Need) String() string { return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.What) }

// Needs are what a script needs, in the order in which its files are reached, each once a file.
type Needs []Need

// shownNeeds is how many needs an error tells.
const shownNeeds = 5

// Error lists the first of the needs. It must not be called if there are none.
func (n Needs) Error() string {
	shown := make([]string, 0, shownNeeds+1)
	for _, need := range n[:min(len(n), shownNeeds)] {
		shown = append(shown, need.String())
	}
	if more := len(n) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ") + ": not in the embedded runtime, needs runtime node"
}

// Scan reads the script at path and the files that it can reach, and returns what it needs of Node and the runtime lacks.
// It returns an error if the script cannot be read. Files that cannot be read or parsed, names that are made up when the script
// runs, and what is required inside of try, as packages do with what they can do without, need nothing. Nor does a member
// or a global for which the same file tests.
func Scan(path string, r Runtime) (Needs, error) {
	found := AsFileOrFolder(path)
	if found == "" {
		found = path // reading it tells what is wrong
	}
	path, err := Real(found)
	if err != nil {
		return nil, err
	}
	if _, err := ReadFile(path, maxFile); err != nil {
		return nil, err
	}
	s := &scan{runtime: r, root: filepath.Dir(path), seen: map[string]bool{path: true}, provided: make(map[string]bool)}
	for s.queue = []string{path}; len(s.queue) > 0 && s.files < scanFiles; s.queue = s.queue[1:] {
		s.file(s.queue[0])
	}
	return slices.DeleteFunc(s.needs, func(n Need) bool { return s.provided[n.What] }), nil
}

// scan is the way through the files of a script.
type scan struct {
	runtime  Runtime
	root     string
	seen     map[string]bool
	queue    []string
	files    int
	bytes    int
	needs    Needs
	provided map[string]bool // globals that the script itself sets
}

// file scans a file and has those scanned that it requires.
func (s *scan) file(path string) {
	text, err := ReadFile(path, maxFile)
	if err != nil || len(text) > scanFile || s.bytes+len(text) > scanBytes {
		return
	}
	s.files++
	s.bytes += len(text)
	f := parseFile(text)
	if f == nil {
		return
	}
	name := path
	if relative, err := filepath.Rel(s.root, path); err == nil && filepath.IsLocal(relative) {
		name = relative
	}
	var found Needs
	need := func(what string, offset int) {
		if !slices.ContainsFunc(found, func(n Need) bool { return n.What == what }) {
			found = append(found, Need{File: name, Line: f.line(offset), What: what})
		}
	}
	for _, r := range f.required {
		if !s.follow(filepath.Dir(path), r) {
			need(r.String(), r.offset)
		}
	}
	for _, u := range f.uses {
		if !f.tested[u.reference] && s.lacks(u.reference) {
			need(u.String(), u.offset)
		}
	}
	for r := range f.provided {
		if r.module == globals {
			s.provided[r.member] = true
		}
	}
	slices.SortStableFunc(found, func(a, b Need) int { return a.Line - b.Line })
	s.needs = append(s.needs, found...)
}

// follow has what a file requires scanned. It reports whether the runtime can do without Node for that.
func (s *scan) follow(folder string, r required) bool {
	bare := strings.TrimPrefix(r.name, "node:")
	if _, ok := s.runtime.Modules[bare]; ok {
		return true
	}
	path, err := Resolve(folder, r.name)
	if _, ok := NodeModule(r.name); err != nil {
		return !ok || r.optional
	}
	switch filepath.Ext(path) {
	case ".node":
		return r.optional
	case ".json":
		return true
	}
	// What a package may do without is none of the script, but a file of its own is part of it.
	if !s.seen[path] && (!r.optional || IsPath(r.name)) {
		s.seen[path] = true
		s.queue = append(s.queue, path)
	}
	return true
}

// lacks reports whether the runtime lacks what a script refers to.
func (s *scan) lacks(r reference) bool {
	switch r.module {
	case modular:
		return true
	case globals:
		return slices.Contains(s.runtime.Missing, r.member)
	case methods:
		return slices.Contains(s.runtime.Methods, r.member)
	}
	members := s.runtime.Modules[r.module]
	return members != nil && !inherited[r.member] && !slices.Contains(members, r.member)
}

// inherited are the members that every module has, being an object or a function.
var inherited = func() map[string]bool {
	all := make(map[string]bool)
	for _, name := range strings.Fields(`__proto__ apply bind call constructor hasOwnProperty isPrototypeOf length name
		propertyIsEnumerable prototype toLocaleString toString valueOf`) {
		all[name] = true
	}
	return all
}()
