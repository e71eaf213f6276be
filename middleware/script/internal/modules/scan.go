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
	// Options tells of methods how many arguments they may be given, since the runtime does not know the options that come then.
	Options map[string]int
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

// Scan reads the script at path, which Find has found, and the files that it can reach, and returns what it needs of Node and the
// runtime lacks. It returns an error if the script cannot be read. Files that cannot be read or parsed, names that are made up when the
// script runs, and what is required inside of try, as packages do with what they can do without, need nothing. Nor does a member
// or a global for which the same file tests, or which any of the files sets.
func Scan(path string, r Runtime) (Needs, error) {
	if _, err := ReadFile(path, maxFile); err != nil {
		return nil, err
	}
	s := &scan{runtime: r, root: filepath.Dir(path), provided: make(map[string]bool)}
	eachFile(path, scanFiles, s.file)
	return slices.DeleteFunc(s.needs, func(n Need) bool { return s.provided[n.What] }), nil
}

// scan is the way through the files of a script.
type scan struct {
	runtime  Runtime
	root     string
	bytes    int
	needs    Needs
	provided map[string]bool // what the script itself sets
}

// file scans a file and returns the files that it requires.
func (s *scan) file(path string, text []byte) (more []string) {
	if len(text) > scanFile || s.bytes+len(text) > scanBytes {
		return nil
	}
	s.bytes += len(text)
	defer func() { _ = recover() }() // a defect of the parser must not be one of the scan
	f := parseFile(text)
	if f == nil {
		return nil
	}
	u := uses{scan: s, file: f, folder: filepath.Dir(path), tested: make(map[string]bool)}
	for _, n := range f.nodes {
		u.look(n)
	}
	if relative, err := filepath.Rel(s.root, path); err == nil && filepath.IsLocal(relative) {
		path = relative
	}
	slices.SortStableFunc(u.lacked, func(a, b Need) int { return a.Line - b.Line })
	for _, need := range u.lacked {
		if !u.tested[need.What] {
			need.File = path
			s.needs = append(s.needs, need)
		}
	}
	return u.more
}

// shown is what a file refers to as it stands in a script.
func shown(name string) string {
	return strings.ReplaceAll(strings.TrimPrefix(name, globals+"."), "/", ".")
}

// lacks reports whether the runtime lacks what a file refers to.
func (s *scan) lacks(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return false
	}
	object, member := name[:dot], name[dot+1:]
	if object == globals {
		return slices.Contains(s.runtime.Missing, member)
	}
	members := s.runtime.Modules[strings.ReplaceAll(object, ".", "/")]
	return members != nil && !slices.Contains(inherited, member) && !slices.Contains(members, member)
}

// inherited are the members that every module has, being an object or a function.
var inherited = strings.Fields(`__proto__ apply bind call constructor hasOwnProperty isPrototypeOf length name propertyIsEnumerable
	prototype toLocaleString toString valueOf`)
